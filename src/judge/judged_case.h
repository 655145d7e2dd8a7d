// One case and what several rules measure on it, each computed once. Relies on judge/pixels.h and
// judge/surface.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "data/image/image.h"
#include "judge/pixels.h"
#include "judge/surface.h"

namespace medurwkv::judge {

/// How lengths are measured.
struct Lengths {
  Spacing spacing{};
  std::optional<double> tolerance{};  ///< of NSD, in units of spacing; none = 2 pixels

  /// The tolerance, or 2 sides of a square as large as a pixel.
  [[nodiscard]] double nsd_tolerance() const;
};

/// Throws a usage Error when spacing or tolerance is not a positive number (the tolerance may be
/// 0).
void check_lengths(const Lengths& lengths);

/// Between the borders of a class in truth and prediction, in units of spacing.
struct BorderFigures {
  double boundary_iou = 0;
  double mean = 0;                    ///< over the pixels of both borders
  double mean_from_prediction = 0;    ///< over those of the prediction's
  double within_tolerance = 0;        ///< share of both borders' pixels
  double hd95_from_truth = 0;         ///< 95th percentile of the distances of its border
  double hd95_from_prediction = 0;    ///< likewise
  std::optional<double> hd95_pooled;  ///< of all distances together, where it was asked for
};

class JudgedCase {
 public:
  /// The maps must outlive it. `pooled`: whether hd95_pooled will be asked for, which takes memory.
  /// Throws Error as class_pixels and check_lengths do.
  JudgedCase(std::string id, const data::LabelMap& truth, const data::LabelMap& prediction,
             std::size_t class_count, const Lengths& lengths = {}, bool pooled = false);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const data::LabelMap& truth() const { return truth_; }
  [[nodiscard]] const data::LabelMap& prediction() const { return prediction_; }
  [[nodiscard]] std::size_t class_count() const { return pixels_.size(); }
  [[nodiscard]] const Lengths& lengths() const { return lengths_; }
  [[nodiscard]] const ClassPixels& pixels(std::size_t label) const { return pixels_.at(label); }

  /// Truth and prediction of one class, made anew with every call.
  [[nodiscard]] MaskPair masks(std::size_t label) const;

  /// Of a class that truth and prediction have; computed by the first call.
  const BorderFigures& borders(std::size_t label);

 private:
  std::string id_;
  const data::LabelMap& truth_;
  const data::LabelMap& prediction_;
  Lengths lengths_;
  bool pooled_;
  std::vector<ClassPixels> pixels_;
  std::vector<std::optional<BorderFigures>> borders_;
};

}  // namespace medurwkv::judge
