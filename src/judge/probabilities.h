// How well a class's probabilities tell its pixels from the others. Relies on data/image/image.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "data/image/image.h"

namespace medurwkv::judge {

/// The chance that a pixel of the class has a larger probability than one of another, ties counting
/// half: the area under the ROC curve (Hanley and McNeil 1982), exact, by ranks. `probabilities` of
/// the class, one per pixel; ignored pixels count nowhere. Absent where all pixels are of the class
/// or none is.
std::optional<double> area_under_curve(const data::LabelMap& truth, std::uint8_t label,
                                       std::span<const float> probabilities);

/// The mean over pixels of (probability - truth)^2, truth 0 or 1 (Brier 1950), of one class against
/// the rest. Absent where every pixel is ignored.
std::optional<double> brier_score(const data::LabelMap& truth, std::uint8_t label,
                                  std::span<const float> probabilities);

}  // namespace medurwkv::judge
