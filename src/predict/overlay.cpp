#include "predict/overlay.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/image/geometry.h"

namespace medurwkv::predict {

namespace {

using Color = std::array<std::uint8_t, 3>;

std::uint8_t to_byte(float value) {
  // The comparison is false for NaN, which a float image may hold.
  if (!(value > 0)) return 0;
  return static_cast<std::uint8_t>(std::lround(std::min(value, 1.0F) * 255));
}

data::Image to_rgb(const data::Image& image) {
  data::Image out{image.width, image.height, 3, data::SampleType::u8, {}};
  out.bytes.reserve(static_cast<std::size_t>(image.width * image.height * 3));
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        out.bytes.push_back(to_byte(image.value(x, y, data::shown_channel(c, image.channels))));
      }
    }
  }
  return out;
}

// Shrinks by area averaging, which the input contract with neutral normalisation already is.
data::Image shrink(const data::Image& image, data::ImageSize size) {
  InputContract contract;
  contract.width = size.width;
  contract.height = size.height;
  contract.channels = 3;
  contract.mean = {0, 0, 0};
  contract.deviation = {1, 1, 1};
  const bool shown = image.channels == 1 || image.channels == 3;
  const std::vector<float> planes = data::to_network_input(shown ? image : to_rgb(image), contract);
  data::Image out{size.width, size.height, 3, data::SampleType::u8, {}};
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  out.bytes.reserve(pixels * 3);
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < 3; ++c) out.bytes.push_back(to_byte(planes[c * pixels + i]));
  }
  return out;
}

void check_size(const data::Image& image, const data::LabelMap& labels) {
  if (image.width == labels.width && image.height == labels.height) return;
  throw_failure(concat("an overlay needs a mask of the image's size: expected ", image.width, " x ",
                       image.height, ", got ", labels.width, " x ", labels.height));
}

// 1 on the pixels of a foreground label within `thickness` steps of another label. The image's edge
// is no outline: an object that is cut off there stays open.
std::vector<std::uint8_t> outline(const data::LabelMap& map, std::int64_t thickness) {
  const std::int64_t width = map.width;
  const std::int64_t height = map.height;
  const auto at = [&](std::int64_t x, std::int64_t y) {
    return static_cast<std::size_t>(y * width + x);
  };
  std::vector<std::uint8_t> near(map.labels.size(), 0);
  for (std::int64_t round = 0; round < thickness; ++round) {
    const std::vector<std::uint8_t> before = near;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::size_t i = at(x, y);
        const std::uint8_t label = map.labels[i];
        if (label == 0 || label == ignore_label) continue;
        const auto reaches = [&](std::size_t k) {
          return map.labels[k] != label || before[k] != 0;
        };
        if ((x > 0 && reaches(i - 1)) || (x + 1 < width && reaches(i + 1)) ||
            (y > 0 && reaches(at(x, y - 1))) || (y + 1 < height && reaches(at(x, y + 1)))) {
          near[i] = 1;
        }
      }
    }
  }
  return near;
}

std::int64_t outline_thickness(data::ImageSize size) {
  constexpr std::int64_t side_per_pixel = 400;
  constexpr std::int64_t thickest = 8;
  const std::int64_t shortest = std::min(size.width, size.height);
  return std::clamp<std::int64_t>((shortest + side_per_pixel / 2) / side_per_pixel, 1, thickest);
}

void paint(data::Image& rgb, std::size_t pixel, const Color& color, double opacity) {
  for (std::size_t c = 0; c < 3; ++c) {
    unsigned char& sample = rgb.bytes[pixel * 3 + c];
    sample = static_cast<unsigned char>(std::lround(sample * (1 - opacity) + color[c] * opacity));
  }
}

data::ImageSize fitted(data::ImageSize size, std::int64_t longest_side) {
  const std::int64_t longest = std::max(size.width, size.height);
  if (longest <= longest_side) return size;
  const auto scaled = [&](std::int64_t side) {
    return std::max<std::int64_t>(1, (side * longest_side + longest / 2) / longest);
  };
  return {scaled(size.width), scaled(size.height)};
}

}  // namespace

data::Image overlay(const data::Image& stored, const data::LabelMap& labels,
                    const std::vector<ClassInfo>& classes) {
  const data::Image image = data::shown_image(stored);
  check_size(image, labels);
  constexpr double tint = 0.35;
  data::Image out = to_rgb(image);
  const auto lines = outline(labels, outline_thickness({image.width, image.height}));
  for (std::size_t i = 0; i < labels.labels.size(); ++i) {
    const std::uint8_t label = labels.labels[i];
    if (label == 0 || label >= classes.size()) continue;
    paint(out, i, classes[label].color, lines[i] != 0 ? 1.0 : tint);
  }
  return out;
}

data::Image comparison(const data::Image& stored, const data::LabelMap& truth,
                       const data::LabelMap& prediction, std::int64_t longest_side) {
  const data::Image image = data::shown_image(stored);
  check_size(image, truth);
  check_size(image, prediction);
  const data::ImageSize own{image.width, image.height};
  const data::ImageSize size = fitted(own, longest_side);
  const bool same = size == own;
  data::Image out = same ? to_rgb(image) : shrink(image, size);
  const std::int64_t thickness = outline_thickness(size);
  const auto truth_line = outline(same ? truth : data::resize_nearest(truth, size), thickness);
  const auto predicted_line =
      outline(same ? prediction : data::resize_nearest(prediction, size), thickness);
  constexpr std::size_t dash = 4;
  const auto width = static_cast<std::size_t>(size.width);
  for (std::size_t i = 0; i < truth_line.size(); ++i) {
    if (truth_line[i] == 0 && predicted_line[i] == 0) continue;
    const bool turn = (i % width + i / width) / dash % 2 == 0;
    const bool as_truth = truth_line[i] != 0 && (predicted_line[i] == 0 || turn);
    paint(out, i, as_truth ? truth_color : prediction_color, 1);
  }
  return out;
}

}  // namespace medurwkv::predict
