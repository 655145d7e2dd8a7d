// From regions, which may overlap, to classes, of which each pixel has one. Relies on
// core/regions.h.
#pragma once

#include <span>
#include <vector>

#include "core/regions.h"

namespace medurwkv::predict {

/// `planes`: logits of the regions, each a sigmoid's, regions x pixels. Logits of the classes,
/// background first, such that their softmax is the probability of each class when regions are
/// taken as independent: class i is that of the last region a pixel is in, so
/// P(i) = p_i prod_{j > i} (1 - p_j) and P(background) = prod_j (1 - p_j).
std::vector<float> class_logits(std::span<const float> planes, const Regions& regions);

}  // namespace medurwkv::predict
