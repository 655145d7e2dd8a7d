#include "data/feed/contact_sheet.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "core/case_loop.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/own_windows.h"
#include "data/codecs/read.h"
#include "data/image/font.h"
#include "data/image/geometry.h"

namespace medurwkv::data {
namespace {

using Color = std::array<std::uint8_t, 3>;

constexpr Color black{20, 20, 20};
constexpr Color gray{110, 110, 110};
constexpr std::int64_t margin = 12;
constexpr std::int64_t gap = 6;
constexpr std::int64_t line = glyph_height + 3;
/// Longest side of a picture on the sheet.
constexpr std::int64_t longest = 184;

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255));
}

ImageSize cell_size(ImageSize size) {
  const double scale =
      static_cast<double>(longest) / static_cast<double>(std::max(size.width, size.height));
  const auto scaled = [&](std::int64_t side) {
    return std::max<std::int64_t>(1, std::llround(scale * static_cast<double>(side)));
  };
  return {scaled(size.width), scaled(size.height)};
}

/// Network input as a picture again.
Image picture_of(const std::vector<float>& input, ImageSize size, const InputContract& contract,
                 ImageSize cell) {
  const auto area = static_cast<std::size_t>(size.width * size.height);
  std::vector<float> planes = input;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::size_t c = i / area;
    planes[i] = planes[i] * static_cast<float>(contract.deviation[c]) +
                static_cast<float>(contract.mean[c]);
  }
  planes = resize_planes(planes, contract.channels, size, cell);
  Image out{.width = cell.width, .height = cell.height, .channels = 3, .bytes = {}};
  const auto pixels = static_cast<std::size_t>(cell.width * cell.height);
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::int64_t color = 0; color < 3; ++color) {
      const auto plane = static_cast<std::size_t>(shown_channel(color, contract.channels));
      out.bytes.push_back(to_byte(planes[plane * pixels + i]));
    }
  }
  return out;
}

void paste(Image& canvas, const Image& picture, std::int64_t left, std::int64_t top) {
  for (std::int64_t y = 0; y < picture.height; ++y) {
    const auto from = picture.bytes.begin() + 3 * y * picture.width;
    std::copy(from, from + 3 * picture.width,
              canvas.bytes.begin() + 3 * ((top + y) * canvas.width + left));
  }
}

void fill(Image& canvas, std::int64_t left, std::int64_t top, std::int64_t side,
          const Color& color) {
  for (std::int64_t y = top; y < top + side; ++y) {
    for (std::int64_t x = left; x < left + side; ++x) {
      std::copy(color.begin(), color.end(), canvas.bytes.begin() + 3 * (y * canvas.width + x));
    }
  }
}

/// What one row shows.
struct Row {
  std::string caption;
  std::vector<Image> pictures;
};

std::string caption_of(const Dataset& dataset, const SheetRow& row, const Image& image,
                       const LabelMap& labels) {
  std::vector<std::int64_t> pixels(dataset.classes.size());
  std::int64_t ignored = 0;
  for (const std::uint8_t label : labels.labels) {
    label < pixels.size() ? ++pixels[label] : ++ignored;
  }
  const auto share = [&](std::int64_t count) {
    const double percent =
        100 * static_cast<double>(count) / static_cast<double>(labels.labels.size());
    return percent < 0.05 ? "below 0.1 %" : fixed(percent, 1) + " %";
  };
  std::string out = concat(row.item.id, "   ", image.width, " x ", image.height, ", ",
                           image.channels, image.channels == 1 ? " channel" : " channels",
                           image.type == SampleType::u16   ? " of 16 bits"
                           : image.type == SampleType::f32 ? " of 32-bit float"
                                                           : "");
  bool some = false;
  for (std::size_t c = 1; c < pixels.size(); ++c) {
    if (pixels[c] == 0) continue;
    out += concat("   ", dataset.classes[c].name, " ", share(pixels[c]));
    some = true;
  }
  if (!some) out += "   nothing marked";
  if (ignored > 0) out += concat("   ignored ", share(ignored));
  return out;
}

Row make_row(const Dataset& dataset, const SheetRow& row, const SheetRequest& request) {
  std::vector<OwnWindow> wanted;
  add_wanted(request.contract, wanted);
  const Image image = read_image(row.item, wanted);
  const LabelMap labels = read_labels(dataset, row.item);
  Row out{.caption = caption_of(dataset, row, image, labels), .pictures = {}};
  const auto show = [&](const std::vector<float>& input, const LabelMap& mask, bool painted) {
    const ImageSize size{mask.width, mask.height};
    const ImageSize cell = cell_size(size);
    Image picture = picture_of(input, size, request.contract, cell);
    if (painted) paint_labels(picture, resize_nearest(mask, cell), dataset.classes);
    out.pictures.push_back(std::move(picture));
  };
  const std::vector<float> plain = to_network_input(image, request.contract);
  const LabelMap plain_labels = to_network_labels(labels, request.contract);
  show(plain, plain_labels, false);
  show(plain, plain_labels, true);
  for (std::int64_t epoch = 0; epoch < request.epochs; ++epoch) {
    const AugmentedSample sample =
        make_training_sample(image, labels, request.contract, request.augment, request.seed,
                             static_cast<std::uint64_t>(epoch), row.index);
    show(sample.input, sample.labels, true);
  }
  return out;
}

std::vector<std::string> heading(const Dataset& dataset, const SheetRequest& request) {
  const InputContract& contract = request.contract;
  return {
      concat(dataset.root.string(), "   ", dataset.layout, ", ", dataset.cases.size(), " cases"),
      concat("as the network sees it: ", contract.width, " x ", contract.height, " (",
             to_string(contract.fit), "), ", contract.channels,
             contract.channels == 1 ? " channel" : " channels", "; augmentation ",
             request.augment_name, ", seed ", request.seed)};
}

/// Coloured squares with the classes' names, and what the hatching means.
void draw_legend(Image& canvas, std::int64_t top, const std::vector<ClassInfo>& classes) {
  std::int64_t left = margin;
  for (std::size_t c = 1; c < classes.size(); ++c) {
    if (left + glyph_height + 4 + text_width(classes[c].name) > canvas.width - margin) return;
    fill(canvas, left, top, glyph_height - 2, classes[c].color);
    left += glyph_height + 4;
    draw_text(canvas, left, top, classes[c].name, black);
    left += text_width(classes[c].name) + 3 * glyph_width;
  }
}

}  // namespace

void paint_labels(Image& image, const LabelMap& labels, const std::vector<ClassInfo>& classes) {
  const auto label_at = [&](std::int64_t x, std::int64_t y) {
    return labels.labels[static_cast<std::size_t>(y * labels.width + x)];
  };
  for (std::int64_t y = 0; y < labels.height; ++y) {
    for (std::int64_t x = 0; x < labels.width; ++x) {
      const std::uint8_t label = label_at(x, y);
      unsigned char* pixel = &image.bytes[static_cast<std::size_t>(3 * (y * labels.width + x))];
      if (label == ignore_label) {
        const int shade = (x + y) % 6 == 0 ? 170 : 0;
        for (std::size_t k = 0; k < 3; ++k) {
          pixel[k] = static_cast<unsigned char>((2 * pixel[k] + shade) / 3);
        }
      }
      if (label == 0 || label >= classes.size()) continue;
      const bool edge = (x > 0 && label_at(x - 1, y) != label) ||
                        (y > 0 && label_at(x, y - 1) != label) ||
                        (x + 1 < labels.width && label_at(x + 1, y) != label) ||
                        (y + 1 < labels.height && label_at(x, y + 1) != label);
      const int share = edge ? 10 : 2;  // of 10
      for (std::size_t k = 0; k < 3; ++k) {
        pixel[k] = static_cast<unsigned char>(
            ((10 - share) * pixel[k] + share * classes[label].color[k]) / 10);
      }
    }
  }
}

Image contact_sheet(const Dataset& dataset, const std::vector<SheetRow>& rows,
                    const SheetRequest& request, Listener& listener) {
  std::vector<Row> made(rows.size());
  for_each_case(rows.size(), "drawing", listener,
                [&](std::size_t i) { made[i] = make_row(dataset, rows[i], request); });
  const std::int64_t columns = 2 + request.epochs;
  const std::vector<std::string> head = heading(dataset, request);
  const std::int64_t cell = longest + gap;
  Image canvas{.width = 2 * margin + columns * cell - gap,
               .height = 2 * margin + (std::ssize(head) + 2) * line + 2 * gap,
               .channels = 3,
               .bytes = {}};
  for (const Row& row : made) {
    std::int64_t tallest = 0;
    for (const Image& picture : row.pictures) tallest = std::max(tallest, picture.height);
    canvas.height += line + tallest + 2 * gap;
  }
  canvas.bytes.assign(static_cast<std::size_t>(3 * canvas.width * canvas.height), 255);
  const std::int64_t inner = canvas.width - 2 * margin;
  std::int64_t top = margin;
  for (const std::string& text : head) {
    draw_text(canvas, margin, top, fitted(text, inner), black);
    top += line;
  }
  draw_legend(canvas, top, dataset.classes);
  top += line + gap;
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::string text = c == 0 ? "image" : c == 1 ? "mask" : concat("epoch ", c - 1);
    draw_text(canvas, margin + c * cell, top, text, gray);
  }
  top += line + gap;
  for (const Row& row : made) {
    draw_text(canvas, margin, top, fitted(row.caption, inner), black);
    top += line;
    std::int64_t tallest = 0;
    for (std::int64_t c = 0; c < std::ssize(row.pictures); ++c) {
      const Image& picture = row.pictures[static_cast<std::size_t>(c)];
      paste(canvas, picture, margin + c * cell, top);
      tallest = std::max(tallest, picture.height);
    }
    top += tallest + 2 * gap;
  }
  return canvas;
}

}  // namespace medurwkv::data
