// Whether probabilities mean what they say: expected calibration error and the reliability diagram
// (Guo et al., On Calibration of Modern Neural Networks, ICML 2017). Relies on data/image/image.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "data/image/image.h"

namespace medurwkv::judge {

inline constexpr std::size_t calibration_bins = 15;

/// Pixels whose confidence, the probability of the predicted class, lies in one bin: (k / 15,
/// (k + 1) / 15].
struct CalibrationBin {
  std::int64_t pixels = 0;
  double confidence = 0;   ///< sum over the pixels
  std::int64_t right = 0;  ///< pixels whose predicted class is the true one
};

/// Bins over all pixels of a set.
struct Reliability {
  std::array<CalibrationBin, calibration_bins> bins{};

  [[nodiscard]] std::int64_t pixels() const;
  /// Sum over bins of their share of the pixels times |accuracy - mean confidence|; absent without
  /// pixels.
  [[nodiscard]] std::optional<double> expected_error() const;
};

struct Calibration {
  Reliability all;         ///< every pixel that is not ignored
  Reliability foreground;  ///< those of them where truth or prediction is foreground: most pixels
                           ///< of most images are background that no model doubts

  /// `probabilities`: classes x height x width; `labels` the predicted classes.
  void add(const data::LabelMap& truth, const data::LabelMap& labels,
           std::span<const float> probabilities);
};

}  // namespace medurwkv::judge
