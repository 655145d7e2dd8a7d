#include "judge/judged_case.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "judge/statistics.h"

namespace medurwkv::judge {

double Lengths::nsd_tolerance() const {
  return tolerance.value_or(2 * std::sqrt(spacing.x * spacing.y));
}

double Lengths::diagonal(std::int64_t width, std::int64_t height, std::int64_t depth) const {
  const double across =
      std::hypot(static_cast<double>(width) * spacing.x, static_cast<double>(height) * spacing.y);
  return depth == 0 ? across : std::hypot(across, static_cast<double>(depth) * spacing.z);
}

void check_lengths(const Lengths& lengths) {
  const auto usable = [](double length) { return std::isfinite(length) && length > 0; };
  const Spacing& spacing = lengths.spacing;
  if (!usable(spacing.x) || !usable(spacing.y) || !usable(spacing.z)) {
    throw_usage(concat("pixel spacing ", spacing.x, ",", spacing.y, ": expected positive lengths"));
  }
  std::vector<double> tolerances = lengths.more_tolerances;
  if (lengths.tolerance) tolerances.push_back(*lengths.tolerance);
  for (const double tolerance : tolerances) {
    if (std::isfinite(tolerance) && tolerance >= 0) continue;
    throw_usage(concat("tolerance ", tolerance, ": expected a length from 0 on"));
  }
}

JudgedCase::JudgedCase(std::string id, const data::LabelMap& truth,
                       const data::LabelMap& prediction, std::size_t class_count,
                       const Lengths& lengths, bool pooled, const CaseExtras& extras)
    : id_(std::move(id)),
      truth_(truth),
      prediction_(prediction),
      lengths_(lengths),
      pooled_(pooled),
      pixels_(class_pixels(id_, truth, prediction, class_count)),
      extras_(extras),
      borders_(class_count),
      objects_(class_count) {
  check_lengths(lengths);
}

std::span<const float> JudgedCase::probabilities(std::size_t label) const {
  if (extras_.probabilities.empty()) return {};
  const std::size_t pixels = truth_.labels.size();
  return extras_.probabilities.subspan(label * pixels, pixels);
}

MaskPair JudgedCase::masks(std::size_t label) const {
  return class_masks(truth_, prediction_, static_cast<std::uint8_t>(label), pixels(label).box);
}

const BorderFigures& JudgedCase::borders(std::size_t label) {
  std::optional<BorderFigures>& out = borders_.at(label);
  if (out) return *out;
  MaskPair both = masks(label);
  out.emplace();
  // Absent for empty masks alone.
  out->boundary_iou =
      boundary_iou(both.truth, both.prediction, boundary_reach(truth_.width, truth_.height))
          .value_or(0);
  SurfaceDistances distances =
      surface_distances(std::move(both.truth), std::move(both.prediction), lengths_.spacing);
  // The percentiles come last: they change the order, on which the last digit of a sum depends.
  out->mean = mean_distance(distances);
  double sum = 0;
  for (const double distance : distances.from_prediction) sum += distance;
  out->mean_from_prediction = sum / static_cast<double>(distances.from_prediction.size());
  out->within_tolerance = within_tolerance(distances, lengths_.nsd_tolerance());
  for (const double tolerance : lengths_.more_tolerances) {
    out->within_more.push_back(within_tolerance(distances, tolerance));
  }
  if (pooled_) {
    std::vector<double> all = distances.from_truth;
    all.insert(all.end(), distances.from_prediction.begin(), distances.from_prediction.end());
    out->hd95_pooled = percentile(std::move(all), 0.95);
  }
  out->hd95_from_truth = percentile(std::move(distances.from_truth), 0.95);
  out->hd95_from_prediction = percentile(std::move(distances.from_prediction), 0.95);
  return *out;
}

const ObjectFigures& JudgedCase::objects(std::size_t label) {
  std::optional<ObjectFigures>& out = objects_.at(label);
  if (!out) {
    out = object_figures(truth_, prediction_, static_cast<std::uint8_t>(label), extras_.objects,
                         lengths_.spacing, lengths_.diagonal(truth_.width, truth_.height));
  }
  return *out;
}

}  // namespace medurwkv::judge
