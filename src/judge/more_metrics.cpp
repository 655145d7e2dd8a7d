#include "judge/more_metrics.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "judge/objects.h"
#include "judge/probabilities.h"
#include "judge/skeleton.h"

namespace medurwkv::judge {
namespace {

using Value = std::optional<double>;

Value mask_value(const std::string& key, const JudgedCase& judged, std::size_t label) {
  const Counts& counts = judged.pixels(label).counts;
  if (key == "mcc") return matthews(counts);
  if (counts.in_truth() != counts.in_prediction()) return 0;
  if (!counts.in_truth()) return std::nullopt;
  const MaskPair masks = judged.masks(label);
  return centreline_dice(masks.truth, masks.prediction);
}

Value probability_value(const std::string& key, const JudgedCase& judged, std::size_t label) {
  const auto own = judged.probabilities(label);
  if (own.empty()) throw_internal(concat("no probabilities for ", key));
  const auto wanted = static_cast<std::uint8_t>(label);
  return key == "auc" ? area_under_curve(judged.truth(), wanted, own)
                      : brier_score(judged.truth(), wanted, own);
}

Value object_value(const std::string& key, const ObjectFigures& own) {
  if (key == "object_precision") return own.precision();
  if (key == "object_recall") return own.recall();
  if (key == "object_f1") return own.f1();
  if (key == "object_f1_swept") return own.f1_swept();
  if (key == "sq") return own.segmentation_quality();
  if (key == "pq") return own.panoptic_quality();
  if (key == "aji") return own.aggregated_jaccard;
  if (key == "object_dice") return own.dice;
  if (key == "object_hausdorff") return own.hausdorff;
  throw_internal(concat("the metric ", key, " of objects"));
}

}  // namespace

std::vector<std::string> more_metric_keys(const std::vector<std::string>& wanted,
                                          bool has_probabilities) {
  std::vector<std::string> known{"objects", "all"};
  for (const MoreMetric& one : more_metrics) known.emplace_back(one.key);
  for (const std::string& name : wanted) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw_usage(concat("unknown metric ", name, suggestion(name, known),
                         "; the metrics of the profile default are always there"));
    }
  }
  const auto names = [&](const std::string& name) {
    return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  std::vector<std::string> out;
  for (const MoreMetric& one : more_metrics) {
    const bool lacks = one.needs == MetricNeeds::probabilities && !has_probabilities;
    if (names(one.key) && lacks) {
      throw_usage(
          concat("the metric ", one.key,
                 " needs probabilities; masks of --predictions have none, so leave it out"));
    }
    const bool of_group = names("objects") && one.needs == MetricNeeds::objects;
    if (!lacks && (names(one.key) || names("all") || of_group)) out.emplace_back(one.key);
  }
  return out;
}

std::optional<Metric> metric_of_key(const std::string& key) {
  for (const MetricInfo& one : metrics) {
    if (key == one.key) return Metric{one.key, one.name, one.kind};
  }
  for (const MoreMetric& one : more_metrics) {
    if (key == one.key) return Metric{one.key, one.name, one.kind};
  }
  constexpr std::string_view tolerance = "nsd_at_";
  if (!key.starts_with(tolerance)) return std::nullopt;
  return Metric{key, concat("NSD at ", key.substr(tolerance.size())), MetricKind::share};
}

MoreMetrics::MoreMetrics(const std::vector<std::string>& keys,
                         const std::vector<double>& tolerances) {
  for (const double tolerance : tolerances) {
    metrics_.push_back(*metric_of_key(concat("nsd_at_", tolerance)));
  }
  for (const MoreMetric& one : more_metrics) {
    if (std::find(keys.begin(), keys.end(), one.key) == keys.end()) continue;
    wanted_.push_back(&one);
    metrics_.push_back(*metric_of_key(one.key));
  }
}

bool MoreMetrics::of_objects() const {
  return std::any_of(wanted_.begin(), wanted_.end(),
                     [](const MoreMetric* one) { return one->needs == MetricNeeds::objects; });
}

std::vector<Value> MoreMetrics::values(JudgedCase& judged, std::size_t label) const {
  std::vector<Value> out;
  const Counts& counts = judged.pixels(label).counts;
  for (std::size_t i = 0; i < metrics_.size() - wanted_.size(); ++i) {
    if (counts.in_truth() && counts.in_prediction()) {
      out.emplace_back(judged.borders(label).within_more.at(i));
    } else {
      out.push_back(counts.in_truth() || counts.in_prediction() ? Value(0) : std::nullopt);
    }
  }
  for (const MoreMetric* one : wanted_) {
    switch (one->needs) {
      case MetricNeeds::masks: out.push_back(mask_value(one->key, judged, label)); break;
      case MetricNeeds::probabilities:
        out.push_back(probability_value(one->key, judged, label));
        break;
      case MetricNeeds::objects:
        out.push_back(object_value(one->key, judged.objects(label)));
        break;
    }
  }
  return out;
}

std::optional<double> matthews(const Counts& counts) {
  const auto tp = static_cast<double>(counts.true_positive);
  const auto fp = static_cast<double>(counts.false_positive);
  const auto fn = static_cast<double>(counts.false_negative);
  const auto tn = static_cast<double>(counts.true_negative);
  // The roots one by one: the product of four counts of a large image leaves float64's whole
  // numbers.
  const double whole =
      std::sqrt(tp + fp) * std::sqrt(tp + fn) * std::sqrt(tn + fp) * std::sqrt(tn + fn);
  if (whole == 0) return std::nullopt;
  return (tp * tn - fp * fn) / whole;
}

}  // namespace medurwkv::judge
