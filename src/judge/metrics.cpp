#include "judge/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace {

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

void set_overlap(ClassScores& scores) {
  const std::int64_t tp = scores.true_positive;
  const std::int64_t fp = scores.false_positive;
  const std::int64_t fn = scores.false_negative;
  scores.dice = ratio(2 * tp, 2 * tp + fp + fn);
  scores.iou = ratio(tp, tp + fp + fn);
  scores.precision = ratio(tp, tp + fp);
  scores.recall = ratio(tp, tp + fn);
  scores.specificity = ratio(scores.true_negative, scores.true_negative + fp);
}

// Distances from the pixels of `from` to the nearest pixel of `to`; neither is empty.
std::vector<double> surface_distances(const Mask& from, const Mask& to, Spacing spacing) {
  const std::vector<double> squared = squared_distances(to, spacing);
  std::vector<double> out;
  for (std::size_t i = 0; i < from.inside.size(); ++i) {
    if (from.inside[i] != 0) out.push_back(std::sqrt(squared[i]));
  }
  return out;
}

void set_distances(ClassScores& scores, const Mask& truth, const Mask& prediction,
                   Spacing spacing) {
  if (!scores.in_truth() && !scores.in_prediction()) return;
  if (!scores.in_truth() || !scores.in_prediction()) {
    const double diagonal = std::hypot(static_cast<double>(truth.width) * spacing.x,
                                       static_cast<double>(truth.height) * spacing.y);
    scores.hd95 = diagonal;
    scores.assd = diagonal;
    return;
  }
  const Mask truth_border = border(truth);
  const Mask prediction_border = border(prediction);
  const auto to_prediction = surface_distances(truth_border, prediction_border, spacing);
  const auto to_truth = surface_distances(prediction_border, truth_border, spacing);
  const double sum = std::accumulate(to_prediction.begin(), to_prediction.end(), 0.0) +
                     std::accumulate(to_truth.begin(), to_truth.end(), 0.0);
  scores.assd = sum / static_cast<double>(to_prediction.size() + to_truth.size());
  scores.hd95 = std::max(percentile(to_prediction, 0.95), percentile(to_truth, 0.95));
}

void check_sizes(const std::string& id, const data::LabelMap& truth,
                 const data::LabelMap& prediction) {
  const auto pixels = static_cast<std::size_t>(truth.width * truth.height);
  if (truth.width == prediction.width && truth.height == prediction.height &&
      truth.labels.size() == pixels && prediction.labels.size() == pixels) {
    return;
  }
  throw_failure(concat("case ", id, ": the prediction is ", prediction.width, " x ",
                       prediction.height, " pixels, the truth ", truth.width, " x ", truth.height,
                       "; masks are judged at the size of the truth"));
}

void check_truth(const std::string& id, const data::LabelMap& truth, std::size_t class_count) {
  for (const std::uint8_t label : truth.labels) {
    if (label == ignore_label || label < class_count) continue;
    throw_failure(concat("case ", id, ": the truth holds label ", int{label}, ", expected 0..",
                         class_count - 1, " or ", int{ignore_label},
                         " (ignored); check the mask encoding with `medurwkv data check`"));
  }
}

Mask mask_of(const data::LabelMap& map, const data::LabelMap& truth, std::uint8_t label) {
  Mask mask{static_cast<std::size_t>(map.width), static_cast<std::size_t>(map.height),
            std::vector<std::uint8_t>(map.labels.size())};
  for (std::size_t i = 0; i < map.labels.size(); ++i) {
    mask.inside[i] = map.labels[i] == label && truth.labels[i] != ignore_label ? 1 : 0;
  }
  return mask;
}

ClassScores score_class(const data::LabelMap& truth, const data::LabelMap& prediction,
                        std::uint8_t label, Spacing spacing) {
  ClassScores scores;
  scores.label = label;
  const Mask truth_mask = mask_of(truth, truth, label);
  const Mask prediction_mask = mask_of(prediction, truth, label);
  std::int64_t judged = 0;
  for (std::size_t i = 0; i < truth.labels.size(); ++i) {
    const int in_truth = truth_mask.inside[i];
    const int in_prediction = prediction_mask.inside[i];
    scores.true_positive += in_truth & in_prediction;
    scores.false_positive += in_prediction & ~in_truth;
    scores.false_negative += in_truth & ~in_prediction;
    judged += truth.labels[i] != ignore_label ? 1 : 0;
  }
  scores.true_negative =
      judged - scores.true_positive - scores.false_positive - scores.false_negative;
  set_overlap(scores);
  set_distances(scores, truth_mask, prediction_mask, spacing);
  return scores;
}

}  // namespace

CaseScores score_case(const std::string& id, const data::LabelMap& truth,
                      const data::LabelMap& prediction, std::size_t class_count, Spacing spacing) {
  const auto usable = [](double length) { return std::isfinite(length) && length > 0; };
  if (!usable(spacing.x) || !usable(spacing.y)) {
    throw_usage(concat("pixel spacing ", spacing.x, ",", spacing.y, ": expected positive lengths"));
  }
  if (class_count < 2 || class_count > ignore_label) {
    throw_internal(concat("score_case with ", class_count, " classes"));
  }
  check_sizes(id, truth, prediction);
  check_truth(id, truth, class_count);
  CaseScores out;
  out.id = id;
  out.size = {truth.width, truth.height};
  for (std::size_t label = 1; label < class_count; ++label) {
    out.classes.push_back(
        score_class(truth, prediction, static_cast<std::uint8_t>(label), spacing));
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
  check_sizes("(merged)", truth, prediction);
  std::int64_t both = 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < truth.labels.size(); ++i) {
    if (truth.labels[i] == ignore_label) continue;
    const int in_truth = truth.labels[i] > 0 ? 1 : 0;
    const int in_prediction = prediction.labels[i] > 0 ? 1 : 0;
    both += in_truth & in_prediction;
    sum += in_truth + in_prediction;
  }
  return ratio(2 * both, sum);
}

}  // namespace medurwkv::judge
