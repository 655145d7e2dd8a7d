// How far each pixel is from the border of a truth, for the boundary loss. The loader makes them
// beside the labels (samples.h). Relies on judge/distance.h, core/model_description.h and
// core/regions.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/regions.h"
#include "data/image/image.h"

namespace medurwkv::train {

/// Planes that signed_distances gives: one for each class but the background, or for each region.
std::int64_t distance_planes(std::int64_t classes, const Regions& regions);

/// `labels`: rows of size.width. Returns planes x height x width, in pixels: outside, the distance
/// to the nearest pixel of the class or region; inside, 1 less than the distance to the nearest
/// outside, negated; 0 where the image has none of it or nothing else. Pixels of ignore_label are
/// outside. Source: Kervadec et al., Boundary loss for highly unbalanced segmentation, 2019.
std::vector<double> signed_distances(std::span<const std::uint8_t> labels, data::ImageSize size,
                                     std::int64_t classes, const Regions& regions);

}  // namespace medurwkv::train
