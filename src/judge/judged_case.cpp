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

void check_lengths(const Lengths& lengths) {
  const auto usable = [](double length) { return std::isfinite(length) && length > 0; };
  const Spacing& spacing = lengths.spacing;
  if (!usable(spacing.x) || !usable(spacing.y) || !usable(spacing.z)) {
    throw_usage(concat("pixel spacing ", spacing.x, ",", spacing.y, ": expected positive lengths"));
  }
  if (lengths.tolerance && !(std::isfinite(*lengths.tolerance) && *lengths.tolerance >= 0)) {
    throw_usage(concat("tolerance ", *lengths.tolerance, ": expected a length from 0 on"));
  }
}

JudgedCase::JudgedCase(std::string id, const data::LabelMap& truth,
                       const data::LabelMap& prediction, std::size_t class_count,
                       const Lengths& lengths, bool pooled)
    : id_(std::move(id)),
      truth_(truth),
      prediction_(prediction),
      lengths_(lengths),
      pooled_(pooled),
      pixels_(class_pixels(id_, truth, prediction, class_count)),
      borders_(class_count) {
  check_lengths(lengths);
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
  if (pooled_) {
    std::vector<double> all = distances.from_truth;
    all.insert(all.end(), distances.from_prediction.begin(), distances.from_prediction.end());
    out->hd95_pooled = percentile(std::move(all), 0.95);
  }
  out->hd95_from_truth = percentile(std::move(distances.from_truth), 0.95);
  out->hd95_from_prediction = percentile(std::move(distances.from_prediction), 0.95);
  return *out;
}

}  // namespace medurwkv::judge
