#include "data/image/photometric.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

namespace medurwkv::data {
namespace {

std::size_t area_of(const Planes& planes) {
  return static_cast<std::size_t>(planes.size.width * planes.size.height);
}

/// gray + saturation * (rotation by `hue` about (1, 1, 1)) (v - gray), as a circulant matrix: the
/// weights that a channel has on itself, on the channel before it and on the one after it.
std::array<float, 3> hue_weights(double hue, double saturation) {
  const double angle = hue * std::numbers::pi / 180;
  const auto weight = [&](double turned) {
    return static_cast<float>((1 + 2 * saturation * std::cos(turned)) / 3);
  };
  const double third = 2 * std::numbers::pi / 3;
  return {weight(angle), weight(angle - third), weight(angle + third)};
}

void change_hue(Planes& planes, const ColorChange& change) {
  const auto [own, before, behind] = hue_weights(change.hue, change.saturation);
  const std::size_t area = area_of(planes);
  float* red = planes.values.data();
  float* green = red + area;
  float* blue = green + area;
  for (std::size_t i = 0; i < area; ++i) {
    const float r = red[i];
    const float g = green[i];
    const float b = blue[i];
    red[i] = own * r + before * b + behind * g;
    green[i] = own * g + before * r + behind * b;
    blue[i] = own * b + before * g + behind * r;
  }
}

void change_gamma(std::vector<float>& values, double gamma) {
  constexpr int steps = 4096;
  std::vector<float> table(steps + 2, 1.0F);
  for (int i = 0; i < steps; ++i) {
    table[static_cast<std::size_t>(i)] =
        static_cast<float>(std::pow(static_cast<double>(i) / steps, gamma));
  }
  for (float& value : values) {
    const float place = value * steps;
    const auto below = static_cast<int>(place);
    const float* at = &table[static_cast<std::size_t>(below)];
    value = at[0] + (place - static_cast<float>(below)) * (at[1] - at[0]);
  }
}

constexpr std::size_t quantile_count = 4096;

/// The value below which a standard normal number lies with `chance`, by bisection.
double normal_quantile(double chance) {
  double low = -10;
  double high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::numbers::sqrt2) < chance ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// Quantiles in the middle of equally likely shares, scaled to a variance of 1.
const std::array<float, quantile_count>& normal_quantiles() {
  static const std::array<float, quantile_count> table = [] {
    std::array<double, quantile_count> exact{};
    double squares = 0;
    for (std::size_t i = 0; i < quantile_count; ++i) {
      exact[i] = normal_quantile((static_cast<double>(i) + 0.5) / quantile_count);
      squares += exact[i] * exact[i];
    }
    const double scale = std::sqrt(quantile_count / squares);
    std::array<float, quantile_count> out{};
    for (std::size_t i = 0; i < quantile_count; ++i) out[i] = static_cast<float>(scale * exact[i]);
    return out;
  }();
  return table;
}

}  // namespace

void change_colors(Planes& planes, const ColorChange& change) {
  if (planes.channels == 3 && (change.hue != 0 || change.saturation != 1)) {
    change_hue(planes, change);
  }
  const auto contrast = static_cast<float>(change.contrast);
  const auto offset = static_cast<float>(0.5 - 0.5 * change.contrast + change.brightness);
  for (float& value : planes.values) value = std::clamp(value * contrast + offset, 0.0F, 1.0F);
  if (change.gamma != 1) change_gamma(planes.values, change.gamma);
}

void blur(Planes& planes, double sigma) {
  const auto [width, height] = planes.size;
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma));
  std::vector<float> kernel;
  for (std::int64_t i = -radius; i <= radius; ++i) {
    kernel.push_back(
        static_cast<float>(std::exp(static_cast<double>(-i * i) / (2 * sigma * sigma))));
  }
  const float sum = std::accumulate(kernel.begin(), kernel.end(), 0.0F);
  for (float& weight : kernel) weight /= sum;
  const auto columns = static_cast<std::size_t>(width);
  std::vector<float> wide(columns + 2 * static_cast<std::size_t>(radius));
  std::vector<float> rows(area_of(planes));
  for (std::int64_t c = 0; c < planes.channels; ++c) {
    float* plane = planes.values.data() + c * width * height;
    std::fill(rows.begin(), rows.end(), 0.0F);
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::size_t i = 0; i < wide.size(); ++i) {
        wide[i] = plane[y * width + mirrored(static_cast<std::int64_t>(i) - radius, width)];
      }
      float* to = &rows[static_cast<std::size_t>(y * width)];
      for (std::size_t k = 0; k < kernel.size(); ++k) {
        for (std::size_t x = 0; x < columns; ++x) to[x] += kernel[k] * wide[x + k];
      }
    }
    for (std::int64_t y = 0; y < height; ++y) {
      float* to = plane + y * width;
      std::fill_n(to, width, 0.0F);
      for (std::size_t k = 0; k < kernel.size(); ++k) {
        const std::int64_t source = mirrored(y + static_cast<std::int64_t>(k) - radius, height);
        const float* from = &rows[static_cast<std::size_t>(source * width)];
        for (std::size_t x = 0; x < columns; ++x) to[x] += kernel[k] * from[x];
      }
    }
  }
}

void add_noise(Planes& planes, double deviation, const Random& random) {
  const auto& quantiles = normal_quantiles();
  const auto scale = static_cast<float>(deviation);
  for (std::size_t i = 0; i < planes.values.size(); i += 4) {
    std::uint64_t bits = random.bits(i / 4);
    const std::size_t end = std::min(i + 4, planes.values.size());
    for (std::size_t k = i; k < end; ++k) {
      const float noisy = planes.values[k] + scale * quantiles[bits % quantile_count];
      planes.values[k] = std::clamp(noisy, 0.0F, 1.0F);
      bits >>= 16;
    }
  }
}

void cut_holes(Planes& planes, const std::vector<Hole>& holes) {
  const std::size_t area = area_of(planes);
  for (std::int64_t c = 0; c < planes.channels; ++c) {
    float* plane = planes.values.data() + static_cast<std::size_t>(c) * area;
    const double sum = std::accumulate(plane, plane + area, 0.0);
    const auto mean = static_cast<float>(sum / static_cast<double>(area));
    for (const Hole& hole : holes) {
      for (std::int64_t y = hole.top; y < hole.top + hole.height; ++y) {
        std::fill_n(plane + y * planes.size.width + hole.left, hole.width, mean);
      }
    }
  }
}

}  // namespace medurwkv::data
