// One case and what several rules measure on it, each computed once. Relies on judge/pixels.h and
// judge/surface.h.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/image/image.h"
#include "judge/objects.h"
#include "judge/pixels.h"
#include "judge/surface.h"

namespace medurwkv::judge {

/// How lengths are measured.
struct Lengths {
  Spacing spacing{};
  std::optional<double> tolerance{};      ///< of NSD, in units of spacing; none = 2 pixels
  std::vector<double> more_tolerances{};  ///< of further NSDs

  /// The tolerance, or 2 sides of a square as large as a pixel.
  [[nodiscard]] double nsd_tolerance() const;
  /// What a missed or hallucinated object is apart: the diagonal of an image (a volume).
  [[nodiscard]] double diagonal(std::int64_t width, std::int64_t height,
                                std::int64_t depth = 0) const;
};

/// Throws a usage Error when spacing or a tolerance is not a positive number (a tolerance may be
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
  std::vector<double> within_more;    ///< as within_tolerance, of Lengths::more_tolerances
};

/// What a case may have beside its label maps.
struct CaseExtras {
  std::span<const float> probabilities{};  ///< classes x height x width, or empty
  ObjectSources objects{};
};

class JudgedCase {
 public:
  /// The maps must outlive it. `pooled`: whether hd95_pooled will be asked for, which takes memory.
  /// Throws Error as class_pixels and check_lengths do.
  JudgedCase(std::string id, const data::LabelMap& truth, const data::LabelMap& prediction,
             std::size_t class_count, const Lengths& lengths = {}, bool pooled = false,
             const CaseExtras& extras = {});

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const data::LabelMap& truth() const { return truth_; }
  [[nodiscard]] const data::LabelMap& prediction() const { return prediction_; }
  [[nodiscard]] std::size_t class_count() const { return pixels_.size(); }
  [[nodiscard]] const Lengths& lengths() const { return lengths_; }
  [[nodiscard]] const ClassPixels& pixels(std::size_t label) const { return pixels_.at(label); }

  /// Of one class, a number per pixel; empty where there are none.
  [[nodiscard]] std::span<const float> probabilities(std::size_t label) const;

  /// Truth and prediction of one class, made anew with every call.
  [[nodiscard]] MaskPair masks(std::size_t label) const;

  /// Of a class that truth and prediction have; computed by the first call.
  const BorderFigures& borders(std::size_t label);

  /// Computed by the first call.
  const ObjectFigures& objects(std::size_t label);

 private:
  std::string id_;
  const data::LabelMap& truth_;
  const data::LabelMap& prediction_;
  Lengths lengths_;
  bool pooled_;
  std::vector<ClassPixels> pixels_;
  CaseExtras extras_;
  std::vector<std::optional<BorderFigures>> borders_;
  std::vector<std::optional<ObjectFigures>> objects_;
};

}  // namespace medurwkv::judge
