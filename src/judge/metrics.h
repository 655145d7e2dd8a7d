// How well one predicted label map agrees with the truth: overlap and surface distances per class,
// after the profile `default` (docs/metrics.md; judge/profiles.h has the others). Relies on
// judge/judged_case.h, judge/pixels.h and judge/statistics.h.
//
// The profile `default`: each image is one case, at its own resolution; classes are judged one
// against the rest; HD95 is the larger of the two directions' 95th percentiles with linear
// interpolation; where truth and prediction are both empty, overlap and distances are left out (and
// counted); where one of them is empty, Dice, IoU, NSD and boundary IoU are 0 and HD95 and ASSD are
// the image's diagonal, so that missing an object costs more than drawing it badly.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/image/image.h"
#include "judge/judged_case.h"
#include "judge/pixels.h"
#include "judge/statistics.h"

namespace medurwkv::judge {

/// Name of the rules above, stated in every output.
inline constexpr char profile_name[] = "default";

/// One class of one case. TP, FP, FN, TN count pixels that are not ignored. Every value that is
/// present is finite.
struct ClassScores : Counts {
  std::uint8_t label = 0;
  std::optional<double> dice;         ///< 2 TP / (2 TP + FP + FN); absent when all three are 0
  std::optional<double> iou;          ///< TP / (TP + FP + FN); absent when all three are 0
  std::optional<double> precision;    ///< TP / (TP + FP); absent without prediction
  std::optional<double> recall;       ///< TP / (TP + FN); absent without truth
  std::optional<double> specificity;  ///< TN / (TN + FP); absent when the truth fills the image
  std::optional<double> hd95;         ///< 95 % Hausdorff distance, units of spacing
  /// Average symmetric surface distance, units of spacing: the mean over the pixels of both borders
  /// of the distance to the other border (Heimann et al. 2009).
  std::optional<double> assd;
  /// Normalised surface distance: share of both borders' pixels that are at most the tolerance from
  /// the other border (Nikolov et al. 2018, with pixels instead of contour elements).
  std::optional<double> nsd;
  std::optional<double> boundary_iou;  ///< judge/surface.h
  std::optional<double>
      volume_difference;  ///< (predicted - true) / true pixels; absent without truth
  std::vector<std::optional<double>> more;  ///< what was asked for beside (judge/more_metrics.h)
};

enum class MetricKind {
  share,   ///< 1 is best, larger is better
  length,  ///< in units of spacing, smaller is better
  error,   ///< 0 is best, smaller is better
  bias,    ///< 0 is best
};

/// One column of every table.
struct Metric {
  std::string key;   ///< in CSV and JSON
  std::string name;  ///< for readers
  MetricKind kind = MetricKind::share;
};

/// A metric of the profile `default`.
struct MetricInfo {
  const char* key;   ///< in CSV and JSON
  const char* name;  ///< for readers
  std::optional<double> ClassScores::*value;
  MetricKind kind;
};
inline constexpr std::size_t metric_count = 10;
inline constexpr std::array<MetricInfo, metric_count> metrics{{
    {"dice", "Dice", &ClassScores::dice, MetricKind::share},
    {"iou", "IoU", &ClassScores::iou, MetricKind::share},
    {"precision", "Precision", &ClassScores::precision, MetricKind::share},
    {"recall", "Recall", &ClassScores::recall, MetricKind::share},
    {"specificity", "Specificity", &ClassScores::specificity, MetricKind::share},
    {"hd95", "HD95", &ClassScores::hd95, MetricKind::length},
    {"assd", "ASSD", &ClassScores::assd, MetricKind::length},
    {"nsd", "NSD", &ClassScores::nsd, MetricKind::share},
    {"boundary_iou", "Boundary IoU", &ClassScores::boundary_iou, MetricKind::share},
    {"volume_difference", "Volume difference", &ClassScores::volume_difference, MetricKind::bias},
}};

/// All classes of one case.
struct CaseScores {
  std::string id;
  std::string group{};  ///< cases that depend on each other share it (a patient); empty: none does
  std::vector<std::string> strata{};  ///< its kind by each of Evaluation::strata
  data::ImageSize size;
  std::vector<ClassScores> classes;  ///< labels 1, 2, ...: the background is not judged
  /// Per metric, in the order of value_of: the mean over the classes where it is defined.
  std::vector<std::optional<double>> class_mean = std::vector<std::optional<double>>(metric_count);
  /// Dice of all foreground classes merged into one: what a guess that knows no classes can be
  /// compared with. With one foreground class it is that class's Dice.
  std::optional<double> merged_dice;

  /// The mean Dice over classes, by which cases are ranked.
  [[nodiscard]] const std::optional<double>& dice() const { return class_mean[0]; }
};

/// By position: those of `metrics`, then ClassScores::more.
const std::optional<double>& value_of(const ClassScores& scores, std::size_t metric);

/// The metrics of `default` as columns.
std::vector<Metric> default_metrics();

class MoreMetrics;

/// Scores `prediction` against `truth`, both of one size; `class_count` includes the background.
/// Pixels that the truth ignores are taken out of both maps: they count nowhere and are background
/// to the borders of both. A predicted value outside the classes belongs to no class. Throws Error
/// when the sizes differ, the truth holds a value outside the classes, or a length is not positive.
/// Memory beside the maps: about ten bytes per pixel, and eight per pixel of a border.
/// `more` fills ClassScores::more.
CaseScores score_case(JudgedCase& judged, const MoreMetrics* more = nullptr);
CaseScores score_case(const std::string& id, const data::LabelMap& truth,
                      const data::LabelMap& prediction, std::size_t class_count,
                      const Lengths& lengths = {});

/// CaseScores::dice alone, without the distances. Throws Error as score_case.
std::optional<double> mean_dice(const std::string& id, const data::LabelMap& truth,
                                const data::LabelMap& prediction, std::size_t class_count);

/// Dice of everything that is foreground, by the rules above (see CaseScores::merged_dice).
std::optional<double> merged_dice(const data::LabelMap& truth, const data::LabelMap& prediction);

/// part / whole, absent when the whole is 0.
std::optional<double> ratio(std::int64_t part, std::int64_t whole);

}  // namespace medurwkv::judge
