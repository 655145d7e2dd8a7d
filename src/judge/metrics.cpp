#include "judge/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "judge/surface.h"

namespace medurwkv::judge {

namespace {

void set_overlap(ClassScores& scores) {
  const std::int64_t tp = scores.true_positive;
  const std::int64_t fp = scores.false_positive;
  const std::int64_t fn = scores.false_negative;
  scores.dice = ratio(2 * tp, 2 * tp + fp + fn);
  scores.iou = ratio(tp, tp + fp + fn);
  scores.precision = ratio(tp, tp + fp);
  scores.recall = ratio(tp, tp + fn);
  scores.specificity = ratio(scores.true_negative, scores.true_negative + fp);
  scores.volume_difference = ratio(fp - fn, tp + fn);
}

void set_distances(ClassScores& scores, MaskPair masks, data::ImageSize size,
                   const Lengths& lengths) {
  const Spacing& spacing = lengths.spacing;
  if (!scores.in_truth() || !scores.in_prediction()) {
    const double diagonal = std::hypot(static_cast<double>(size.width) * spacing.x,
                                       static_cast<double>(size.height) * spacing.y);
    scores.hd95 = diagonal;
    scores.assd = diagonal;
    scores.nsd = 0;
    scores.boundary_iou = 0;
    return;
  }
  scores.boundary_iou =
      boundary_iou(masks.truth, masks.prediction, boundary_reach(size.width, size.height));
  SurfaceDistances distances =
      surface_distances(std::move(masks.truth), std::move(masks.prediction), spacing);
  scores.assd = mean_distance(distances);
  scores.nsd = within_tolerance(distances, lengths.nsd_tolerance());
  scores.hd95 = std::max(percentile(std::move(distances.from_truth), 0.95),
                         percentile(std::move(distances.from_prediction), 0.95));
}

}  // namespace

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

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

CaseScores score_case(const std::string& id, const data::LabelMap& truth,
                      const data::LabelMap& prediction, std::size_t class_count,
                      const Lengths& lengths) {
  check_lengths(lengths);
  const std::vector<ClassPixels> pixels = class_pixels(id, truth, prediction, class_count);
  CaseScores out;
  out.id = id;
  out.size = {truth.width, truth.height};
  for (std::size_t label = 1; label < class_count; ++label) {
    ClassScores scores;
    static_cast<Counts&>(scores) = pixels[label].counts;
    scores.label = static_cast<std::uint8_t>(label);
    set_overlap(scores);
    if (scores.in_truth() || scores.in_prediction()) {
      set_distances(scores, class_masks(truth, prediction, scores.label, pixels[label].box),
                    out.size, lengths);
    }
    out.classes.push_back(scores);
  }
  for (std::size_t m = 0; m < metric_count; ++m) {
    std::vector<std::optional<double>> values;
    for (const ClassScores& scores : out.classes) values.push_back(scores.*metrics[m].value);
    out.class_mean[m] = mean_of_defined(values);
  }
  out.merged_dice = merged_dice(truth, prediction);
  return out;
}

std::optional<double> merged_dice(const data::LabelMap& truth, const data::LabelMap& prediction) {
  if (truth.labels.size() != prediction.labels.size()) throw_internal("maps of different sizes");
  std::int64_t both = 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < truth.labels.size(); ++i) {
    const int judged = truth.labels[i] != ignore_label ? 1 : 0;
    const int in_truth = truth.labels[i] > 0 ? judged : 0;
    const int in_prediction = prediction.labels[i] > 0 ? judged : 0;
    both += in_truth & in_prediction;
    sum += in_truth + in_prediction;
  }
  return ratio(2 * both, sum);
}

}  // namespace medurwkv::judge
