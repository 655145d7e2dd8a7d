#include "data/feed/rand_augment.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

namespace medurwkv::data {
namespace {

constexpr double most_magnitude = 10;
constexpr std::size_t levels = 256;

std::size_t area_of(const Planes& planes) {
  return static_cast<std::size_t>(planes.size.width * planes.size.height);
}

/// Brightness as ITU-R BT.601 weighs it, of three planes; of other numbers each plane is its own.
std::vector<float> gray_of(const Planes& planes) {
  const std::size_t area = area_of(planes);
  if (planes.channels != 3) return planes.values;
  std::vector<float> out(area);
  for (std::size_t i = 0; i < area; ++i) {
    out[i] = 0.299F * planes.values[i] + 0.587F * planes.values[area + i] +
             0.114F * planes.values[2 * area + i];
  }
  return out;
}

/// v = base(i) + factor (v - base(i)), cut off at 0 and 1; i counts all values.
template <class Base>
void blend(Planes& planes, double factor, const Base& base) {
  const auto f = static_cast<float>(factor);
  for (std::size_t i = 0; i < planes.values.size(); ++i) {
    const float from = base(i);
    planes.values[i] = std::clamp(from + f * (planes.values[i] - from), 0.0F, 1.0F);
  }
}

void change_contrast(Planes& planes, double factor) {
  const std::vector<float> gray = gray_of(planes);
  const double sum = std::accumulate(gray.begin(), gray.end(), 0.0);
  const auto mean = static_cast<float>(sum / static_cast<double>(gray.size()));
  blend(planes, factor, [&](std::size_t) { return mean; });
}

void change_color(Planes& planes, double factor) {
  if (planes.channels != 3) return;
  const std::vector<float> gray = gray_of(planes);
  blend(planes, factor, [&](std::size_t i) { return gray[i % gray.size()]; });
}

/// Towards or away from the mean over 3 x 3 pixels, the middle one counting five times; the
/// outermost pixels stay.
void change_sharpness(Planes& planes, double factor) {
  const std::vector<float> before = planes.values;
  const auto width = static_cast<std::size_t>(planes.size.width);
  const auto height = static_cast<std::size_t>(planes.size.height);
  blend(planes, factor, [&](std::size_t i) {
    const std::size_t x = i % width;
    const std::size_t y = i / width % height;
    if (x == 0 || y == 0 || x + 1 == width || y + 1 == height) return before[i];
    float sum = 4 * before[i];
    for (const std::size_t row : {i - width, i, i + width}) {
      sum += before[row - 1] + before[row] + before[row + 1];
    }
    return sum / 13;
  });
}

std::size_t level_of(float value) {
  return static_cast<std::size_t>(std::lround(255.0F * std::clamp(value, 0.0F, 1.0F)));
}

void posterize(Planes& planes, double bits) {
  const auto dropped = static_cast<unsigned>(8 - std::lround(bits));
  for (float& value : planes.values) {
    value = static_cast<float>(level_of(value) >> dropped << dropped) / 255.0F;
  }
}

/// Each plane's least value becomes 0, its largest 1; a plane of one value stays.
void autocontrast(Planes& planes) {
  const std::size_t area = area_of(planes);
  for (std::size_t begin = 0; begin < planes.values.size(); begin += area) {
    float* plane = &planes.values[begin];
    const auto [least, most] = std::minmax_element(plane, plane + area);
    const float low = *least;
    const float range = *most - low;
    if (!(range > 0)) continue;
    for (std::size_t i = 0; i < area; ++i) plane[i] = (plane[i] - low) / range;
  }
}

/// Pillow's histogram equalisation of one plane, in 256 levels.
void equalize(float* plane, std::size_t area) {
  std::array<std::size_t, levels> counts{};
  for (std::size_t i = 0; i < area; ++i) ++counts[level_of(plane[i])];
  const auto last =
      std::find_if(counts.rbegin(), counts.rend(), [](std::size_t n) { return n > 0; });
  const std::size_t step = (area - *last) / (levels - 1);
  if (step == 0) return;
  std::array<float, levels> table{};
  std::size_t sum = step / 2;
  for (std::size_t i = 0; i < levels; ++i) {
    table[i] = static_cast<float>(std::min(sum / step, levels - 1)) / 255.0F;
    sum += counts[i];
  }
  for (std::size_t i = 0; i < area; ++i) plane[i] = table[level_of(plane[i])];
}

}  // namespace

RandAugment draw_rand_augment(const Random& random, std::uint64_t count, double magnitude) {
  const double share = magnitude / most_magnitude;
  RandAugment out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto operation = static_cast<RandOperation>(random.below(2 * i, rand_operations));
    const double side = random.uniform(2 * i + 1) < 0.5 ? -1 : 1;
    const auto map = [&](const Affine& one) { out.map = out.map.after(one); };
    const auto change = [&](double amount) { out.changes.push_back({operation, amount}); };
    switch (operation) {
      case RandOperation::identity: break;
      case RandOperation::shear_x: map({.xy = side * 0.3 * share}); break;
      case RandOperation::shear_y: map({.yx = side * 0.3 * share}); break;
      case RandOperation::translate_x: map({.x0 = side * 0.45 * share}); break;
      case RandOperation::translate_y: map({.y0 = side * 0.45 * share}); break;
      case RandOperation::rotate: {
        const double angle = side * 30 * share * std::numbers::pi / 180;
        map({.xx = std::cos(angle),
             .xy = -std::sin(angle),
             .yx = std::sin(angle),
             .yy = std::cos(angle)});
        break;
      }
      case RandOperation::brightness:
      case RandOperation::color:
      case RandOperation::contrast:
      case RandOperation::sharpness: change(1 + side * 0.9 * share); break;
      case RandOperation::posterize: change(8 - std::round(4 * share)); break;
      case RandOperation::solarize: change(1 - share); break;
      case RandOperation::autocontrast:
      case RandOperation::equalize: change(0); break;
    }
  }
  return out;
}

void change_values(Planes& planes, const RandChange& change) {
  const std::size_t area = area_of(planes);
  switch (change.operation) {
    case RandOperation::brightness:
      return blend(planes, change.amount, [](std::size_t) { return 0.0F; });
    case RandOperation::color: return change_color(planes, change.amount);
    case RandOperation::contrast: return change_contrast(planes, change.amount);
    case RandOperation::sharpness: return change_sharpness(planes, change.amount);
    case RandOperation::posterize: return posterize(planes, change.amount);
    case RandOperation::solarize:
      for (float& value : planes.values) {
        if (value >= static_cast<float>(change.amount)) value = 1 - value;
      }
      return;
    case RandOperation::autocontrast: return autocontrast(planes);
    case RandOperation::equalize:
      for (std::size_t i = 0; i < planes.values.size(); i += area)
        equalize(&planes.values[i], area);
      return;
    case RandOperation::identity:
    case RandOperation::shear_x:
    case RandOperation::shear_y:
    case RandOperation::translate_x:
    case RandOperation::translate_y:
    case RandOperation::rotate: return;
  }
}

}  // namespace medurwkv::data
