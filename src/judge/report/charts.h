// Diagrams as inline SVG, with a title and a description in words. Relies on judge/calibration.h
// and core/markup.h.
#pragma once

#include <string>
#include <vector>

#include "judge/calibration.h"

namespace medurwkv::judge {

/// Accuracy over confidence, a bar per bin, on the diagonal where they agree; below it the share of
/// pixels in each bin. `id` is distinct for each on a page, `what` says which pixels.
std::string reliability_svg(const Reliability& reliability, const std::string& id,
                            const std::string& what);

/// Differences of paired cases, sorted, a bar each, above and below zero.
std::string differences_svg(std::vector<double> differences, const std::string& id,
                            const std::string& what);

}  // namespace medurwkv::judge
