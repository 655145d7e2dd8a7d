#include "train/segmentation/distances.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/model_description.h"
#include "judge/distance.h"

namespace medurwkv::train {
namespace {

/// 1 for labels of the plane's class or region, 0 for others.
std::vector<std::uint8_t> members(std::int64_t plane, std::int64_t classes,
                                  const Regions& regions) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(classes), 0);
  if (regions.empty()) {
    out[static_cast<std::size_t>(plane + 1)] = 1;
  } else {
    for (const std::int64_t c : regions[static_cast<std::size_t>(plane)]) {
      out[static_cast<std::size_t>(c)] = 1;
    }
  }
  return out;
}

/// Of one plane, 0 where its truth is empty or everything.
void write_distances(const judge::Mask& inside, double* out) {
  judge::Mask outside = inside;
  for (std::uint8_t& pixel : outside.inside) pixel = pixel == 0 ? 1 : 0;
  const auto has = [](const judge::Mask& mask) {
    return std::find(mask.inside.begin(), mask.inside.end(), 1) != mask.inside.end();
  };
  if (!has(inside) || !has(outside)) return;
  const std::vector<double> to_outside = judge::squared_distances(inside, outside, {});
  const std::vector<double> to_inside = judge::squared_distances(outside, inside, {});
  auto inner = to_outside.begin();
  auto outer = to_inside.begin();
  for (std::size_t i = 0; i < inside.inside.size(); ++i) {
    out[i] = inside.inside[i] != 0 ? 1 - std::sqrt(*inner++) : std::sqrt(*outer++);
  }
}

}  // namespace

std::int64_t distance_planes(std::int64_t classes, const Regions& regions) {
  return regions.empty() ? classes - 1 : std::ssize(regions);
}

std::vector<double> signed_distances(std::span<const std::uint8_t> labels, data::ImageSize size,
                                     std::int64_t classes, const Regions& regions) {
  const std::int64_t planes = distance_planes(classes, regions);
  std::vector<double> out(static_cast<std::size_t>(planes) * labels.size(), 0);
  judge::Mask mask{.width = static_cast<std::size_t>(size.width),
                   .height = static_cast<std::size_t>(size.height),
                   .inside = std::vector<std::uint8_t>(labels.size())};
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    const std::vector<std::uint8_t> of_class = members(plane, classes, regions);
    std::transform(labels.begin(), labels.end(), mask.inside.begin(), [&](std::uint8_t label) {
      return label < of_class.size() ? of_class[label] : std::uint8_t{0};
    });
    write_distances(mask, out.data() + static_cast<std::size_t>(plane) * labels.size());
  }
  return out;
}

}  // namespace medurwkv::train
