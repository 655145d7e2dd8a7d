// Metrics beside those of the profile `default`, computed where they are asked for: each is one
// figure of one class of one case, a column like the others. Formulas, edge cases and sources:
// docs/metrics.md. Relies on judge/metrics.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "judge/metrics.h"

namespace medurwkv::judge {

/// What a metric is computed from.
enum class MetricNeeds { masks, objects, probabilities };

struct MoreMetric {
  const char* key;
  const char* name;
  MetricKind kind;
  MetricNeeds needs;
};
inline constexpr std::array<MoreMetric, 13> more_metrics{{
    {"mcc", "MCC", MetricKind::share, MetricNeeds::masks},
    {"cldice", "clDice", MetricKind::share, MetricNeeds::masks},
    {"auc", "AUC", MetricKind::share, MetricNeeds::probabilities},
    {"brier", "Brier score", MetricKind::error, MetricNeeds::probabilities},
    {"object_precision", "Object precision", MetricKind::share, MetricNeeds::objects},
    {"object_recall", "Object recall", MetricKind::share, MetricNeeds::objects},
    {"object_f1", "Object F1 (DQ)", MetricKind::share, MetricNeeds::objects},
    {"object_f1_swept", "Object F1, swept", MetricKind::share, MetricNeeds::objects},
    {"sq", "SQ", MetricKind::share, MetricNeeds::objects},
    {"pq", "PQ", MetricKind::share, MetricNeeds::objects},
    {"aji", "AJI", MetricKind::share, MetricNeeds::objects},
    {"object_dice", "Object Dice", MetricKind::share, MetricNeeds::objects},
    {"object_hausdorff", "Object Hausdorff", MetricKind::length, MetricNeeds::objects},
}};

/// The keys that `wanted` names, without repeats, in the order above: keys, "objects" for those of
/// objects, "all" for all (without those of probabilities where there are none). Throws a usage
/// Error for an unknown name, with the nearest, and for a named one that needs probabilities where
/// there are none.
std::vector<std::string> more_metric_keys(const std::vector<std::string>& wanted,
                                          bool has_probabilities);

/// Any metric that an evaluation may have, by its key; absent for an unknown one.
std::optional<Metric> metric_of_key(const std::string& key);

class MoreMetrics {
 public:
  /// `keys`: of more_metrics. `tolerances`: of further NSDs, in the order of
  /// Lengths::more_tolerances.
  MoreMetrics(const std::vector<std::string>& keys, const std::vector<double>& tolerances);

  [[nodiscard]] const std::vector<Metric>& metrics() const { return metrics_; }
  /// Whether any is one of objects.
  [[nodiscard]] bool of_objects() const;
  /// Of one class, in the order of metrics().
  [[nodiscard]] std::vector<std::optional<double>> values(JudgedCase& judged,
                                                          std::size_t label) const;

 private:
  std::vector<const MoreMetric*> wanted_;
  std::vector<Metric> metrics_;
};

/// Matthews' correlation coefficient; absent where a row or a column of the table is 0.
std::optional<double> matthews(const Counts& counts);

}  // namespace medurwkv::judge
