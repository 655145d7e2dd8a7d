#include "data/feed/view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "core/text.h"
#include "data/feed/values.h"
#include "data/image/levels.h"

namespace medurwkv::data {
namespace {

constexpr std::uint64_t tries = 10;

/// Positions of the random numbers of one view. Never reordered: seeds would mean other pictures.
enum Draw : std::uint64_t {
  draw_flip_x,
  draw_flip_y,
  draw_turn_chance,
  draw_turn,
  draw_hue,
  draw_saturation,
  draw_contrast,
  draw_brightness,
  draw_erase_chance,
};

/// In pixels of the image.
struct Crop {
  double left = 0, top = 0;
  double width = 0, height = 0;
};

/// RandomResizedCrop.get_params of torchvision, its numbers at positions 4 t to 4 t + 3.
Crop draw_crop(const Random& random, const ViewSettings& settings, ImageSize image) {
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  const double widest = settings.crop_ratio;
  const double narrowest = 1 / widest;
  for (std::uint64_t t = 0; t < tries; ++t) {
    const double area = width * height * random.uniform(4 * t, settings.crop_least, 1);
    const double ratio = std::exp(random.uniform(4 * t + 1, std::log(narrowest), std::log(widest)));
    const double across = std::nearbyint(std::sqrt(area * ratio));
    const double down = std::nearbyint(std::sqrt(area / ratio));
    if (across < 1 || across > width || down < 1 || down > height) continue;
    const auto start = [&](std::uint64_t position, double free) {
      return std::floor(random.uniform(position) * (free + 1));
    };
    return {.left = start(4 * t + 2, width - across),
            .top = start(4 * t + 3, height - down),
            .width = across,
            .height = down};
  }
  Crop out{.width = width, .height = height};
  if (width / height < narrowest) out.height = std::nearbyint(width / narrowest);
  if (width / height > widest) out.width = std::nearbyint(height * widest);
  out.left = std::floor((width - out.width) / 2);
  out.top = std::floor((height - out.height) / 2);
  return out;
}

/// Unit coordinates of a part of the image to those of the image.
Affine box_of(const Crop& crop, ImageSize image) {
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  return {.xx = crop.width / width,
          .yy = crop.height / height,
          .x0 = crop.left / width,
          .y0 = crop.top / height};
}

/// `map`, which is about the middle, in unit coordinates from the corner.
Affine about_middle(const Affine& map) {
  return Affine{.x0 = 0.5, .y0 = 0.5}.after(map).after({.x0 = -0.5, .y0 = -0.5});
}

Affine draw_symmetry(const Random& scalars, const ViewSettings& settings) {
  Affine out{.xx = scalars.uniform(draw_flip_x) < settings.flip_x ? -1.0 : 1.0,
             .yy = scalars.uniform(draw_flip_y) < settings.flip_y ? -1.0 : 1.0};
  const std::uint64_t turns =
      scalars.uniform(draw_turn_chance) < settings.quarter_turns ? scalars.below(draw_turn, 4) : 0;
  for (std::uint64_t i = 0; i < turns; ++i) {
    out = out.after({.xx = 0, .xy = -1, .yx = 1, .yy = 0});
  }
  return out;
}

ColorChange draw_colors(const Random& scalars, const ViewSettings& settings) {
  const auto either_way = [&](Draw draw, double most) {
    return scalars.uniform(draw, -most, most);
  };
  return {.hue = either_way(draw_hue, settings.hue),
          .saturation = 1 + either_way(draw_saturation, settings.saturation),
          .contrast = 1 + either_way(draw_contrast, settings.contrast),
          .brightness = either_way(draw_brightness, settings.brightness)};
}

/// Random erasing (Zhong et al. 2020, arXiv:1708.04896, algorithm 1, the ratio log-uniform as in
/// timm); none where ten tries give no rectangle that fits.
std::optional<UnitBox> draw_erased(const Random& random) {
  constexpr double least_area = 0.02;
  constexpr double most_area = 0.33;
  const double most_log_ratio = std::log(1 / 0.3);
  for (std::uint64_t t = 0; t < tries; ++t) {
    const double area = random.uniform(4 * t, least_area, most_area);
    const double ratio = std::exp(random.uniform(4 * t + 1, -most_log_ratio, most_log_ratio));
    const UnitBox box{.width = std::sqrt(area / ratio), .height = std::sqrt(area * ratio)};
    if (box.width >= 1 || box.height >= 1) continue;
    return UnitBox{.left = random.uniform(4 * t + 2, 0, 1 - box.width),
                   .top = random.uniform(4 * t + 3, 0, 1 - box.height),
                   .width = box.width,
                   .height = box.height};
  }
  return std::nullopt;
}

/// Standard normal numbers in place of every pixel whose centre lies in the box, on normalised
/// planes.
void erase(std::vector<float>& values, ImageSize size, const UnitBox& box, const Random& noise) {
  const auto range = [](double begin, double length, std::int64_t side) {
    const auto pixel = [&](double at) {
      return std::clamp(static_cast<std::int64_t>(std::ceil(at * static_cast<double>(side) - 0.5)),
                        std::int64_t{0}, side);
    };
    return std::pair(pixel(begin), pixel(begin + length));
  };
  const auto [left, right] = range(box.left, box.width, size.width);
  const auto [top, bottom] = range(box.top, box.height, size.height);
  const std::int64_t rows = std::ssize(values) / size.width;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t y = row % size.height;
    if (y < top || y >= bottom) continue;
    for (std::int64_t x = left; x < right; ++x) {
      const auto at = static_cast<std::size_t>(row * size.width + x);
      values[at] = static_cast<float>(noise.normal(at));
    }
  }
}

/// `box` of the image in `to` pixels. Gray for a network of three channels stays one plane.
Planes sample(const Image& image, const InputContract& contract, const Affine& box, ImageSize to) {
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  const double across = 1 / static_cast<double>(to.width);
  const double down = 1 / static_cast<double>(to.height);
  const Warp warp{.to = to,
                  .map = Affine{.xx = width, .yy = height, .x0 = -0.5, .y0 = -0.5}.after(box).after(
                      {.xx = across, .yy = down, .x0 = across / 2, .y0 = down / 2})};
  const BlockSize blocks = block_size(warp.map);
  const bool repeat = channel_use(image.channels, contract.channels) == ChannelUse::repeat;
  const std::int64_t channels = repeat ? 1 : contract.channels;
  const Planes planes =
      image_planes(image, channels, windows_for(image, contract), blocks.across, blocks.down);
  return {.values = warp_planes(planes, blocks, warp), .channels = channels, .size = to};
}

}  // namespace

std::span<const ViewField> view_fields() {
  using S = ViewSettings;
  static constexpr std::array<ViewField, 12> fields{{{"crop_least", &S::crop_least, 0.01, 1},
                                                     {"crop_ratio", &S::crop_ratio, 1, 10},
                                                     {"flip_x", &S::flip_x, 0, 1},
                                                     {"flip_y", &S::flip_y, 0, 1},
                                                     {"quarter_turns", &S::quarter_turns, 0, 1},
                                                     {"hue", &S::hue, 0, 180},
                                                     {"saturation", &S::saturation, 0, 1},
                                                     {"contrast", &S::contrast, 0, 1},
                                                     {"brightness", &S::brightness, 0, 1},
                                                     {"rand_ops", &S::rand_ops, 0, 10},
                                                     {"rand_magnitude", &S::rand_magnitude, 0, 10},
                                                     {"erase", &S::erase, 0, 1}}};
  return fields;
}

ViewDraw draw_view(const ViewSettings& settings, ImageSize image, std::uint64_t seed,
                   std::uint64_t epoch, std::uint64_t index) {
  const auto stream = [&](std::string_view name) {
    return Random({seed, epoch, index, fnv1a64(name)});
  };
  const Random scalars = stream("view");
  RandAugment rand = draw_rand_augment(stream("view RandAugment"),
                                       static_cast<std::uint64_t>(std::lround(settings.rand_ops)),
                                       settings.rand_magnitude);
  ViewDraw out{.box = box_of(draw_crop(stream("view crop"), settings, image), image)
                          .after(about_middle(draw_symmetry(scalars, settings).after(rand.map))),
               .colors = draw_colors(scalars, settings),
               .changes = std::move(rand.changes),
               .erased = {},
               .seed = seed,
               .epoch = epoch,
               .index = index};
  if (scalars.uniform(draw_erase_chance) < settings.erase) {
    out.erased = draw_erased(stream("view erase"));
  }
  return out;
}

std::vector<float> render_view(const Image& image, const InputContract& contract,
                               const ViewSettings& settings, const ViewDraw& draw, ImageSize to) {
  Planes planes = sample(image, contract, draw.box, to);
  const bool colors = settings.hue != 0 || settings.saturation != 0 || settings.contrast != 0 ||
                      settings.brightness != 0;
  const bool rand = settings.rand_ops != 0 && !draw.changes.empty();
  if (colors || rand) {
    within_unit_range(planes.values, image.type == SampleType::f32 && !has_window(contract), [&] {
      // Bicubic samples of 0..1 may lie beyond it; without a change change_colors cuts them off.
      change_colors(planes, colors ? draw.colors : ColorChange{});
      if (!rand) return;
      for (const RandChange& change : draw.changes) change_values(planes, change);
    });
  }
  std::vector<float> out = network_channels(std::move(planes.values), planes.channels, contract);
  if (settings.erase != 0 && draw.erased) {
    erase(out, to, *draw.erased,
          Random({draw.seed, draw.epoch, draw.index, fnv1a64("view noise")}));
  }
  return out;
}

View make_view(const Image& image, const InputContract& contract, const ViewSettings& settings,
               std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
  const ViewDraw draw = draw_view(settings, {image.width, image.height}, seed, epoch, index);
  const ImageSize to{contract.width, contract.height};
  return {{render_view(image, contract, settings, draw, to), contract.channels, to}, draw.box};
}

Affine central_box(ImageSize image, ImageSize to, double crop_share) {
  if (!(crop_share >= 0 && crop_share <= 1)) {
    throw_usage(concat("the central crop's share is ", crop_share, ", expected 0 to 1"));
  }
  if (crop_share == 0) return {};
  const auto width = static_cast<double>(image.width);
  const auto height = static_cast<double>(image.height);
  const double ratio = static_cast<double>(to.width) / static_cast<double>(to.height);
  const double down = crop_share * std::min(height, width / ratio);
  const double across = down * ratio;
  return box_of(
      {.left = (width - across) / 2, .top = (height - down) / 2, .width = across, .height = down},
      image);
}

std::vector<float> render_central(const Image& image, const InputContract& contract,
                                  double crop_share) {
  const ImageSize to{contract.width, contract.height};
  const Affine box = central_box({image.width, image.height}, to, crop_share);
  if (crop_share == 0) {
    InputContract stretched = contract;
    stretched.fit = Fit::stretch;
    return to_network_input(image, stretched);
  }
  Planes planes = sample(image, contract, box, to);
  return network_channels(std::move(planes.values), planes.channels, contract);
}

std::vector<float> resample_map(const float* map, std::int64_t height, std::int64_t width,
                                std::int64_t depth, const Affine& box, ImageSize to) {
  /// The two cells around a place along one axis and what the second one weighs.
  struct Place {
    std::int64_t first = 0, second = 0;
    float part = 0;
  };
  const auto place = [](double at, std::int64_t side) -> Place {
    const double cell =
        std::clamp(at * static_cast<double>(side) - 0.5, 0.0, static_cast<double>(side - 1));
    const auto first = static_cast<std::int64_t>(cell);
    return {first, std::min(first + 1, side - 1),
            static_cast<float>(cell - static_cast<double>(first))};
  };
  std::vector<float> out(static_cast<std::size_t>(to.height * to.width * depth));
  float* cell = out.data();
  for (std::int64_t y = 0; y < to.height; ++y) {
    for (std::int64_t x = 0; x < to.width; ++x, cell += depth) {
      const Point from = box({(static_cast<double>(x) + 0.5) / static_cast<double>(to.width),
                              (static_cast<double>(y) + 0.5) / static_cast<double>(to.height)});
      const Place across = place(from.x, width);
      const Place down = place(from.y, height);
      const auto at = [&](std::int64_t row, std::int64_t column) {
        return map + (row * width + column) * depth;
      };
      const float* upper_left = at(down.first, across.first);
      const float* upper_right = at(down.first, across.second);
      const float* lower_left = at(down.second, across.first);
      const float* lower_right = at(down.second, across.second);
      for (std::int64_t d = 0; d < depth; ++d) {
        const float upper = upper_left[d] + across.part * (upper_right[d] - upper_left[d]);
        const float lower = lower_left[d] + across.part * (lower_right[d] - lower_left[d]);
        cell[d] = upper + down.part * (lower - upper);
      }
    }
  }
  return out;
}

}  // namespace medurwkv::data
