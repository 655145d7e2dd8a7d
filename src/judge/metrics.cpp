#include "judge/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "judge/more_metrics.h"
#include "judge/statistics.h"

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

void set_distances(JudgedCase& judged, ClassScores& scores) {
  if (!scores.in_truth() || !scores.in_prediction()) {
    const double diagonal = judged.lengths().diagonal(judged.truth().width, judged.truth().height);
    scores.hd95 = diagonal;
    scores.assd = diagonal;
    scores.nsd = 0;
    scores.boundary_iou = 0;
    return;
  }
  const BorderFigures& borders = judged.borders(scores.label);
  scores.boundary_iou = borders.boundary_iou;
  scores.assd = borders.mean;
  scores.nsd = borders.within_tolerance;
  scores.hd95 = std::max(borders.hd95_from_truth, borders.hd95_from_prediction);
}

}  // namespace

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

const std::optional<double>& value_of(const ClassScores& scores, std::size_t metric) {
  return metric < metric_count ? scores.*metrics[metric].value
                               : scores.more.at(metric - metric_count);
}

std::vector<Metric> default_metrics() {
  std::vector<Metric> out;
  for (const MetricInfo& one : metrics) out.push_back({one.key, one.name, one.kind});
  return out;
}

CaseScores score_case(JudgedCase& judged, const MoreMetrics* more) {
  CaseScores out;
  out.id = judged.id();
  out.size = {judged.truth().width, judged.truth().height};
  for (std::size_t label = 1; label < judged.class_count(); ++label) {
    ClassScores scores;
    static_cast<Counts&>(scores) = judged.pixels(label).counts;
    scores.label = static_cast<std::uint8_t>(label);
    set_overlap(scores);
    if (scores.in_truth() || scores.in_prediction()) set_distances(judged, scores);
    if (more != nullptr) scores.more = more->values(judged, label);
    out.classes.push_back(std::move(scores));
  }
  out.class_mean.resize(metric_count + out.classes.front().more.size());
  for (std::size_t m = 0; m < out.class_mean.size(); ++m) {
    std::vector<std::optional<double>> values;
    for (const ClassScores& scores : out.classes) values.push_back(value_of(scores, m));
    out.class_mean[m] = mean_of_defined(values);
  }
  out.merged_dice = merged_dice(judged.truth(), judged.prediction());
  return out;
}

CaseScores score_case(const std::string& id, const data::LabelMap& truth,
                      const data::LabelMap& prediction, std::size_t class_count,
                      const Lengths& lengths) {
  JudgedCase judged(id, truth, prediction, class_count, lengths);
  return score_case(judged);
}

std::optional<double> mean_dice(const std::string& id, const data::LabelMap& truth,
                                const data::LabelMap& prediction, std::size_t class_count) {
  const std::vector<ClassPixels> pixels = class_pixels(id, truth, prediction, class_count);
  std::vector<std::optional<double>> values;
  for (std::size_t label = 1; label < class_count; ++label) {
    ClassScores scores;
    static_cast<Counts&>(scores) = pixels[label].counts;
    set_overlap(scores);
    values.push_back(scores.dice);
  }
  return mean_of_defined(values);
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
