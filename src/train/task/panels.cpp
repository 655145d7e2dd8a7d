#include "train/task/panels.h"

#include <algorithm>
#include <cmath>

namespace medurwkv::train {
namespace {

constexpr unsigned char white = 255;

data::Image blank(std::int64_t width, std::int64_t height) {
  return {.width = width,
          .height = height,
          .channels = 3,
          .bytes = std::vector<unsigned char>(static_cast<std::size_t>(3 * width * height), white)};
}

/// Pastes an RGB image.
void paste(data::Image& onto, const data::Image& what, std::int64_t left, std::int64_t top) {
  const auto row = static_cast<std::ptrdiff_t>(3 * what.width);
  for (std::int64_t y = 0; y < what.height; ++y) {
    std::copy_n(what.bytes.begin() + y * row, row,
                onto.bytes.begin() + 3 * ((top + y) * onto.width + left));
  }
}

}  // namespace

data::ImageSize panel_size(const data::Image& image) {
  const double scale =
      static_cast<double>(panel_side) / static_cast<double>(std::max(image.width, image.height));
  const auto side = [&](std::int64_t length) {
    return std::clamp<std::int64_t>(std::llround(scale * static_cast<double>(length)), 1,
                                    panel_side);
  };
  return {side(image.width), side(image.height)};
}

data::Image resized(const data::Image& given, data::ImageSize to) {
  const data::Image image = data::shown_image(given);
  const std::vector<float> planes =
      data::resize_planes(data::image_planes(image, image.channels).values, image.channels,
                          {image.width, image.height}, to);
  data::Image out = blank(to.width, to.height);
  const auto pixels = static_cast<std::size_t>(to.width * to.height);
  for (std::size_t i = 0; i < 3 * pixels; ++i) {
    const std::int64_t channel =
        data::shown_channel(static_cast<std::int64_t>(i % 3), image.channels);
    const float value = planes[static_cast<std::size_t>(channel) * pixels + i / 3];
    out.bytes[i] = static_cast<unsigned char>(std::lround(255 * std::clamp(value, 0.F, 1.F)));
  }
  return out;
}

data::Image side_by_side(const std::vector<data::Image>& panels) {
  const std::int64_t count = std::ssize(panels);
  data::Image out = blank(count * panel_side + (count - 1) * panel_gap, panel_side);
  std::int64_t left = 0;
  for (const data::Image& panel : panels) {
    paste(out, panel, left + (panel_side - panel.width) / 2, (panel_side - panel.height) / 2);
    left += panel_side + panel_gap;
  }
  return out;
}

data::Image stacked(const std::vector<data::Image>& rows) {
  std::int64_t height = -panel_gap;
  for (const data::Image& row : rows) height += row.height + panel_gap;
  data::Image out = blank(rows.front().width, height);
  std::int64_t top = 0;
  for (const data::Image& row : rows) {
    paste(out, row, 0, top);
    top += row.height + panel_gap;
  }
  return out;
}

}  // namespace medurwkv::train
