#include "data/dataset.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/class_file.h"
#include "data/encoding.h"
#include "data/layout.h"
#include "data/pack.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// The channels of `a`, then those of `b`, of one size and type.
Image stacked(const Image& a, const Image& b) {
  Image out{.width = a.width,
            .height = a.height,
            .channels = a.channels + b.channels,
            .type = a.type,
            .bytes = {},
            .geometry = a.geometry};
  const auto pixels = static_cast<std::size_t>(a.width * a.height);
  const std::size_t from_a = a.bytes.size() / pixels;
  const std::size_t from_b = b.bytes.size() / pixels;
  out.bytes.reserve(a.bytes.size() + b.bytes.size());
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto append = [&](const Image& image, std::size_t step) {
      const auto at = image.bytes.begin() + static_cast<std::ptrdiff_t>(i * step);
      out.bytes.insert(out.bytes.end(), at, at + static_cast<std::ptrdiff_t>(step));
    };
    append(a, from_a);
    append(b, from_b);
  }
  return out;
}

/// A mask of the case. Never resized: throws Error naming both files when sizes differ.
MaskPixels read_mask_of(const Case& item, ImageSize size, const ImageSource& source) {
  MaskPixels mask = read_mask(source);
  if (mask.width != size.width || mask.height != size.height) {
    throw_failure(concat(source.name(), ": the mask is ", mask.width, " x ", mask.height,
                         ", its image ", item.images.front().name(), " is ", size.width, " x ",
                         size.height));
  }
  return mask;
}

/// Pixels of the one class of `source`; each belongs to one class at most.
void claim(LabelMap& out, const LabelMap& mask, const ImageSource& source) {
  for (std::size_t i = 0; i < out.labels.size(); ++i) {
    if (mask.labels[i] == 0) continue;
    if (out.labels[i] != 0) {
      const auto width = static_cast<std::size_t>(out.width);
      throw_failure(concat(source.name(), ": pixel ", i % width, ", ", i / width, " is of class ",
                           int{out.labels[i]}, " and of class ", int{source.class_index},
                           "; a pixel has one class"));
    }
    out.labels[i] = source.class_index;
  }
}

}  // namespace

DatasetOptions dataset_options(const std::string& encoding,
                               const std::vector<std::string>& class_names,
                               const fs::path& class_file) {
  if (!class_names.empty() && !class_file.empty()) {
    throw_usage("--class-names and --classes say the same; give one of them");
  }
  DatasetOptions out;
  if (!encoding.empty()) out.encoding = mask_encoding_from(encoding);
  if (!class_names.empty()) out.classes = make_classes(class_names.size(), class_names);
  if (!class_file.empty()) out.classes = read_class_file(class_file);
  return out;
}

Dataset open_dataset(const fs::path& root, const DatasetOptions& options) {
  Layout layout = find_layout(root);
  if (layout.cases.empty()) {
    if (!layout.unread.empty()) {
      throw_failure(concat(layout.unread.front().file.string(), ": ", layout.unread.front().what));
    }
    throw_failure(concat(root.string(), ": no image with a mask was found (",
                         layout.images_alone.size(), " images, ", layout.masks_alone.size(),
                         " masks without a partner); expected images/ and masks/ with the same "
                         "names, or NAME and NAME_mask side by side"));
  }
  if (!layout.broken.empty()) {
    throw_failure(concat(layout.broken.front().file.string(), ": ", layout.broken.front().what));
  }
  Meaning meaning =
      meaning_of(layout, layout.pack ? MaskUse{} : count_values(layout.cases), options);
  if (!meaning.encoding) throw_failure(concat(root.string(), ": ", meaning.unclear));
  return {.root = root,
          .layout = std::move(layout.name),
          .cases = std::move(layout.cases),
          .encoding = *meaning.encoding,
          .classes = std::move(meaning.classes),
          .ignored = layout.ignored};
}

std::vector<fs::path> list_images(const fs::path& root) {
  if (!fs::is_directory(root)) return {root};
  std::vector<fs::path> out = list_files(root);
  std::erase_if(out, [](const fs::path& path) {
    return !has_image_suffix(path) && !has_container_suffix(path);
  });
  return out;
}

Image read_image(const Case& item) {
  Image out = read_image(item.images.front());
  for (std::size_t i = 1; i < item.images.size(); ++i) {
    const Image next = read_image(item.images[i]);
    if (next.width != out.width || next.height != out.height || next.type != out.type) {
      throw_failure(concat(item.images[i].name(), ": is ", next.width, " x ", next.height,
                           ", the channel ", item.images.front().name(), " of the same case is ",
                           out.width, " x ", out.height,
                           "; channels are of one size and one type of sample"));
    }
    out = stacked(out, next);
  }
  return out;
}

ImageSize read_image_size(const Case& item) {
  return read_image_size(item.images.front());
}

std::vector<fs::path> files_of(const Case& item) {
  std::vector<fs::path> out;
  const auto add = [&](const ImageSource& source) {
    if (std::find(out.begin(), out.end(), source.file) == out.end()) out.push_back(source.file);
  };
  for (const ImageSource& source : item.images) add(source);
  for (const ImageSource& source : item.masks) add(source);
  if (item.field_of_view) add(*item.field_of_view);
  return out;
}

LabelMap read_labels(const Dataset& dataset, const Case& item) {
  if (const auto& pack = item.masks.front().pack) return pack->labels(item.id);
  const ImageSize size = read_image_size(item);
  LabelMap out{size.width, size.height, {}};
  out.labels.resize(static_cast<std::size_t>(size.width * size.height));
  for (const ImageSource& source : item.masks) {
    const MaskPixels mask = read_mask_of(item, size, source);
    LabelMap labels = labels_from(source.name(), dataset.encoding, mask, dataset.classes);
    if (dataset.ignored) {
      std::replace(labels.labels.begin(), labels.labels.end(), *dataset.ignored, ignore_label);
    }
    if (source.class_index > 0) {
      claim(out, labels, source);
      continue;
    }
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      out.labels[i] = std::max(out.labels[i], labels.labels[i]);
    }
  }
  for (const std::uint8_t label : out.labels) {
    if (label >= dataset.classes.size() && label != ignore_label) {
      throw_failure(concat(item.masks.front().name(), ": holds the value ", static_cast<int>(label),
                           ", the set has ", dataset.classes.size(), " classes"));
    }
  }
  if (item.field_of_view) {
    const MaskPixels seen = read_mask_of(item, size, *item.field_of_view);
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      if (seen.values.at(i) == 0) out.labels[i] = ignore_label;
    }
  }
  return out;
}

}  // namespace medurwkv::data
