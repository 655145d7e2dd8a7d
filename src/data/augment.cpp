#include "data/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

/// How far each augmentation may go.
struct Range {
  double rotation = 0;  ///< degrees, either way
  double scale = 0;     ///< 1 / (1 + scale) .. 1 + scale
  double shift = 0;     ///< share of the side, either way
  double shear = 0;     ///< either way
  bool quarter_turns = false;
  double brightness = 0;  ///< added, either way
  double contrast = 0;    ///< factor 1 - contrast .. 1 + contrast
  double gamma = 0;       ///< exponent 1 / (1 + gamma) .. 1 + gamma
  double saturation = 0;  ///< factor 1 - saturation .. 1 + saturation
  double noise = 0;       ///< largest standard deviation
};

Range range_of(AugmentStrength strength) {
  switch (strength) {
    case AugmentStrength::none: return {};
    case AugmentStrength::light:
      return {.rotation = 10, .scale = 0.1, .shift = 0.05, .brightness = 0.05, .contrast = 0.1};
    case AugmentStrength::medium:
      return {.rotation = 20,
              .scale = 0.2,
              .shift = 0.08,
              .shear = 0.05,
              .quarter_turns = true,
              .brightness = 0.1,
              .contrast = 0.2,
              .gamma = 0.2,
              .saturation = 0.2,
              .noise = 0.02};
    case AugmentStrength::strong:
      return {.rotation = 45,
              .scale = 0.4,
              .shift = 0.15,
              .shear = 0.15,
              .quarter_turns = true,
              .brightness = 0.2,
              .contrast = 0.4,
              .gamma = 0.4,
              .saturation = 0.4,
              .noise = 0.05};
  }
  throw_internal("unknown augmentation strength");
}

/// Positions of the random numbers of one sample.
enum Draw : std::uint64_t {
  draw_flip_x,
  draw_flip_y,
  draw_turn,
  draw_rotation,
  draw_scale,
  draw_shift_x,
  draw_shift_y,
  draw_shear,
  draw_brightness,
  draw_contrast,
  draw_gamma,
  draw_saturation,
  draw_noise,
  draw_first_pixel = 64,
};

/// Maps relative output coordinates (centre 0, sides -0.5 .. 0.5) to relative source coordinates.
struct Affine {
  std::array<double, 4> matrix{1, 0, 0, 1};
  double shift_x = 0, shift_y = 0;
};

Affine draw_affine(const Random& random, const Range& range) {
  const auto symmetric = [&](Draw draw, double most) { return random.uniform(draw, -most, most); };
  double angle = symmetric(draw_rotation, range.rotation) * std::numbers::pi / 180;
  if (range.quarter_turns) {
    angle += static_cast<double>(random.below(draw_turn, 4)) * std::numbers::pi / 2;
  }
  const double scale = std::pow(1 + range.scale, symmetric(draw_scale, 1));
  const double shear = symmetric(draw_shear, range.shear);
  const double flip_x = random.below(draw_flip_x, 2) == 1 ? -1 : 1;
  const double flip_y = random.below(draw_flip_y, 2) == 1 ? -1 : 1;
  const double cosine = std::cos(angle) / scale;
  const double sine = std::sin(angle) / scale;
  return {.matrix = {flip_x * cosine, flip_x * (shear * cosine - sine), flip_y * sine,
                     flip_y * (shear * sine + cosine)},
          .shift_x = symmetric(draw_shift_x, range.shift),
          .shift_y = symmetric(draw_shift_y, range.shift)};
}

/// Mirrors a pixel coordinate into 0 .. size - 1.
std::int64_t mirrored(std::int64_t at, std::int64_t size) {
  const std::int64_t period = 2 * size;
  at = ((at % period) + period) % period;
  return at < size ? at : period - 1 - at;
}

/// Source position in pixels (pixel centres at whole numbers) of an output pixel.
struct Point {
  double x = 0, y = 0;
};

Point source_of(const Affine& affine, std::int64_t x, std::int64_t y, ImageSize out,
                ImageSize from) {
  const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(out.width) - 0.5;
  const double v = (static_cast<double>(y) + 0.5) / static_cast<double>(out.height) - 0.5;
  const double su = affine.matrix[0] * u + affine.matrix[1] * v + affine.shift_x + 0.5;
  const double sv = affine.matrix[2] * u + affine.matrix[3] * v + affine.shift_y + 0.5;
  return {su * static_cast<double>(from.width) - 0.5, sv * static_cast<double>(from.height) - 0.5};
}

std::vector<float> warp_planes(const std::vector<float>& planes, std::int64_t channels,
                               ImageSize from, ImageSize to, const Affine& affine) {
  std::vector<float> out(static_cast<std::size_t>(channels * to.width * to.height));
  for (std::int64_t y = 0; y < to.height; ++y) {
    for (std::int64_t x = 0; x < to.width; ++x) {
      const Point point = source_of(affine, x, y, to, from);
      const double left = std::floor(point.x);
      const double upper = std::floor(point.y);
      const auto part_x = static_cast<float>(point.x - left);
      const auto part_y = static_cast<float>(point.y - upper);
      const std::int64_t x0 = mirrored(static_cast<std::int64_t>(left), from.width);
      const std::int64_t x1 = mirrored(static_cast<std::int64_t>(left) + 1, from.width);
      const std::int64_t y0 = mirrored(static_cast<std::int64_t>(upper), from.height);
      const std::int64_t y1 = mirrored(static_cast<std::int64_t>(upper) + 1, from.height);
      for (std::int64_t c = 0; c < channels; ++c) {
        const float* plane = planes.data() + c * from.width * from.height;
        const float above =
            plane[y0 * from.width + x0] * (1 - part_x) + plane[y0 * from.width + x1] * part_x;
        const float below =
            plane[y1 * from.width + x0] * (1 - part_x) + plane[y1 * from.width + x1] * part_x;
        out[static_cast<std::size_t>((c * to.height + y) * to.width + x)] =
            above * (1 - part_y) + below * part_y;
      }
    }
  }
  return out;
}

LabelMap warp_labels(const LabelMap& labels, ImageSize to, const Affine& affine) {
  LabelMap out{to.width, to.height, {}};
  out.labels.resize(static_cast<std::size_t>(to.width * to.height));
  const ImageSize from{labels.width, labels.height};
  for (std::int64_t y = 0; y < to.height; ++y) {
    for (std::int64_t x = 0; x < to.width; ++x) {
      const Point point = source_of(affine, x, y, to, from);
      const std::int64_t sx = mirrored(static_cast<std::int64_t>(std::lround(point.x)), from.width);
      const std::int64_t sy =
          mirrored(static_cast<std::int64_t>(std::lround(point.y)), from.height);
      out.labels[static_cast<std::size_t>(y * to.width + x)] =
          labels.labels[static_cast<std::size_t>(sy * from.width + sx)];
    }
  }
  return out;
}

/// Brightness, contrast and gamma on all channels, saturation on RGB, then noise; values stay in
/// 0..1.
void change_colors(std::vector<float>& planes, std::int64_t channels, const Random& random,
                   const Range& range) {
  const auto factor = [&](Draw draw, double most) {
    return static_cast<float>(random.uniform(draw, 1 - most, 1 + most));
  };
  const auto brightness =
      static_cast<float>(random.uniform(draw_brightness, -range.brightness, range.brightness));
  const float contrast = factor(draw_contrast, range.contrast);
  const auto gamma =
      static_cast<float>(std::pow(1 + range.gamma, random.uniform(draw_gamma, -1, 1)));
  const float saturation = factor(draw_saturation, range.saturation);
  const auto noise = static_cast<float>(random.uniform(draw_noise, 0, range.noise));
  const std::size_t area = planes.size() / static_cast<std::size_t>(channels);
  if (channels == 3) {
    for (std::size_t i = 0; i < area; ++i) {
      const float gray = (planes[i] + planes[area + i] + planes[2 * area + i]) / 3;
      for (std::size_t c = 0; c < 3; ++c) {
        float& value = planes[c * area + i];
        value = gray + (value - gray) * saturation;
      }
    }
  }
  for (std::size_t i = 0; i < planes.size(); ++i) {
    float value = (planes[i] - 0.5F) * contrast + 0.5F + brightness;
    value = std::pow(std::clamp(value, 0.0F, 1.0F), gamma);
    if (noise > 0) value += noise * static_cast<float>(random.normal(draw_first_pixel + i));
    planes[i] = std::clamp(value, 0.0F, 1.0F);
  }
}

/// How many source pixels an output pixel covers, as a size to shrink to before a bilinear warp.
ImageSize shrunk(ImageSize from, ImageSize to) {
  return {std::min(from.width, 2 * to.width), std::min(from.height, 2 * to.height)};
}

}  // namespace

AugmentStrength augment_strength_from(const std::string& name) {
  if (name == "none") return AugmentStrength::none;
  if (name == "light") return AugmentStrength::light;
  if (name == "medium") return AugmentStrength::medium;
  if (name == "strong") return AugmentStrength::strong;
  throw_usage(concat("augmentation '", name, "' is not known",
                     suggestion(name, {"none", "light", "medium", "strong"})));
}

AugmentedSample make_training_sample(const Image& image, const LabelMap& labels,
                                     const InputContract& contract, AugmentStrength strength,
                                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t index) {
  const ImageSize to{contract.width, contract.height};
  if (strength == AugmentStrength::none) {
    return {to_network_input(image, contract), resize_nearest(labels, to)};
  }
  const Range range = range_of(strength);
  const Random random({seed, epoch, index, fnv1a64("augment")});
  const Affine affine = draw_affine(random, range);
  const ImageSize from{image.width, image.height};
  const ImageSize small = shrunk(from, to);
  const std::vector<float> planes =
      resize_planes(image_planes(image, contract.channels), contract.channels, from, small);
  AugmentedSample out{warp_planes(planes, contract.channels, small, to, affine),
                      warp_labels(labels, to, affine)};
  change_colors(out.input, contract.channels, random, range);
  normalise(out.input, contract);
  return out;
}

}  // namespace medurwkv::data
