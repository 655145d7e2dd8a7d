#include "judge/compare.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "judge/more_metrics.h"
#include "judge/summary.h"

namespace medurwkv::judge {

namespace {

using Values = std::vector<std::optional<double>>;

constexpr char mean_over_classes[] = "mean over classes";

void check_same(const LoadedEvaluation& a, const LoadedEvaluation& b, const std::string& what,
                const std::string& of_a, const std::string& of_b) {
  if (of_a == of_b) return;
  const auto said = [](const std::string& text) { return text.empty() ? "none" : shown(text); };
  throw_failure(concat("these evaluations are not of the same cases: ", what, " of ",
                       a.folder.string(), " is ", said(of_a), ", of ", b.folder.string(), " ",
                       said(of_b), "; evaluate both alike"));
}

// Masks that were read by another encoding give other truths of the same data.
void check_truth(const LoadedEvaluation& a, const LoadedEvaluation& b, std::size_t position) {
  for (std::size_t c = 0; c < a.class_names.size(); ++c) {
    const std::int64_t of_a = a.cases[position].classes.at(c).true_pixels;
    const std::int64_t of_b = b.cases[position].classes.at(c).true_pixels;
    if (of_a == of_b) continue;
    check_same(a, b,
               concat("the number of true pixels of ", a.class_names[c], " in the case ",
                      shown(a.cases[position].id)),
               std::to_string(of_a), std::to_string(of_b));
  }
}

/// Where the evaluation has the metric. Throws Error where it lacks it.
std::size_t position_of(const LoadedEvaluation& evaluation, const std::string& key) {
  const auto& own = evaluation.metrics;
  const auto found =
      std::find_if(own.begin(), own.end(), [&](const Metric& one) { return one.key == key; });
  if (found != own.end()) return static_cast<std::size_t>(found - own.begin());
  std::vector<std::string> known;
  for (const Metric& one : own) known.push_back(one.key);
  if (!metric_of_key(key)) throw_usage(concat("unknown metric ", key, suggestion(key, known)));
  throw_usage(concat("the metric ", key, " is not in ", evaluation.folder.string(),
                     "; evaluate with --metrics or --tolerance that give it"));
}

// The best value there is.
double perfect(MetricKind kind) {
  return kind == MetricKind::share ? 1 : 0;
}

// A value of each side, or none of either.
using Couple = std::optional<std::pair<double, double>>;

/// One class of one case, of one side: a value for each run that has one.
Values values_of_runs(const LoadedClass& own, std::size_t metric) {
  Values out;
  for (const auto& run : own.runs) out.push_back(run.at(metric));
  return out;
}

bool any_defined(const Values& values) {
  return std::any_of(values.begin(), values.end(), [](const auto& one) { return one.has_value(); });
}

/// The metric on both sides.
struct MetricOfPair {
  Metric metric;
  std::size_t first = 0, second = 0;  ///< positions
};

// The class at `position` of one case. On an empty truth a figure is defined where the class is
// predicted; who does not predict it there is right.
Couple couple_of_class(const LoadedCase& a, const LoadedCase& b, std::size_t position,
                       const MetricOfPair& metric) {
  const MetricKind kind = metric.metric.kind;
  const LoadedClass& own = a.classes.at(position);
  Values first = values_of_runs(own, metric.first);
  Values second = values_of_runs(b.classes.at(position), metric.second);
  const bool somebody_predicts = any_defined(first) || any_defined(second);
  for (Values* const side : {&first, &second}) {
    for (std::optional<double>& one : *side) {
      if (!one && own.true_pixels == 0 && somebody_predicts) one = perfect(kind);
      if (one && kind == MetricKind::bias) one = std::abs(*one);
    }
  }
  const auto of_first = mean_of_defined(first);
  const auto of_second = mean_of_defined(second);
  if (!of_first || !of_second) return std::nullopt;
  return std::pair(*of_first, *of_second);
}

Couple couple_of_means(const LoadedCase& a, const LoadedCase& b, const MetricOfPair& metric) {
  Values first;
  Values second;
  for (std::size_t c = 0; c < a.classes.size(); ++c) {
    const Couple own = couple_of_class(a, b, c, metric);
    if (!own) continue;
    first.emplace_back(own->first);
    second.emplace_back(own->second);
  }
  if (first.empty()) return std::nullopt;
  return std::pair(*mean_of_defined(first), *mean_of_defined(second));
}

PairedMetric paired(const Metric& metric, const std::string& of, const std::vector<Couple>& couples,
                    const Comparison& comparison) {
  PairedMetric out;
  out.metric = metric;
  out.of = of;
  out.of_classes = of == mean_over_classes;
  const bool larger_is_better = metric.kind == MetricKind::share;
  Values first;
  Values second;
  Values differences;
  for (const Couple& couple : couples) {
    first.push_back(couple ? std::optional(couple->first) : std::nullopt);
    second.push_back(couple ? std::optional(couple->second) : std::nullopt);
    differences.push_back(couple ? std::optional(couple->second - couple->first) : std::nullopt);
    if (!couple) continue;
    const double difference = couple->second - couple->first;
    const double gain = larger_is_better ? difference : -difference;
    ++(gain > 0 ? out.better : gain < 0 ? out.worse : out.equal);
  }
  out.first = statistic(first);
  out.second = statistic(second);
  out.difference = statistic(differences);
  out.difference.interval = bootstrap_interval(differences, comparison.groups, bootstrap_resamples,
                                               comparison.options.seed);
  std::vector<double> known;
  for (const auto& one : group_means(differences, comparison.groups)) {
    if (one) known.push_back(*one);
  }
  out.test = wilcoxon(known, comparison.options.zeros);
  return out;
}

void add_changes(Pair& pair, const LoadedEvaluation& a, const std::vector<Couple>& dice) {
  for (std::size_t i = 0; i < dice.size(); ++i) {
    if (!dice[i]) continue;
    const auto [first, second] = *dice[i];
    pair.dice_differences.push_back(second - first);
    if (first != second) pair.changes.push_back({a.cases[i].id, first, second});
  }
  std::stable_sort(pair.changes.begin(), pair.changes.end(), [](const Change& x, const Change& y) {
    return std::abs(x.second - x.first) > std::abs(y.second - y.first);
  });
}

// On an empty truth Dice is defined where the class is predicted.
void count_perfect(Pair& pair, const LoadedEvaluation& a, const LoadedEvaluation& b) {
  for (std::size_t i = 0; i < a.cases.size(); ++i) {
    for (std::size_t c = 0; c < a.class_names.size(); ++c) {
      const LoadedClass& own = a.cases[i].classes.at(c);
      if (own.true_pixels > 0) continue;
      const Values first = values_of_runs(own, 0);
      const Values second = values_of_runs(b.cases[i].classes.at(c), 0);
      if (!any_defined(first) && !any_defined(second)) continue;
      pair.first_perfect += std::count(first.begin(), first.end(), std::nullopt);
      pair.second_perfect += std::count(second.begin(), second.end(), std::nullopt);
    }
  }
}

Pair paired_evaluations(const Comparison& comparison, std::size_t first, std::size_t second) {
  const LoadedEvaluation& a = comparison.evaluations[first];
  const LoadedEvaluation& b = comparison.evaluations[second];
  const auto couples = [&](const auto& couple_of) {
    std::vector<Couple> out;
    for (std::size_t i = 0; i < a.cases.size(); ++i) {
      out.push_back(couple_of(a.cases[i], b.cases[i]));
    }
    return out;
  };
  const auto means = [&](const MetricOfPair& metric) {
    return couples(
        [&](const LoadedCase& x, const LoadedCase& y) { return couple_of_means(x, y, metric); });
  };
  Pair out;
  out.first = first;
  out.second = second;
  for (const std::string& key : comparison.options.metrics) {
    const MetricOfPair m{*metric_of_key(key), position_of(a, key), position_of(b, key)};
    out.metrics.push_back(paired(m.metric, mean_over_classes, means(m), comparison));
    for (std::size_t c = 0; a.class_names.size() > 1 && c < a.class_names.size(); ++c) {
      const auto of_class = couples(
          [&](const LoadedCase& x, const LoadedCase& y) { return couple_of_class(x, y, c, m); });
      out.metrics.push_back(paired(m.metric, a.class_names[c], of_class, comparison));
    }
  }
  add_changes(out, a, means({default_metrics().front()}));
  count_perfect(out, a, b);
  return out;
}

void correct(std::vector<Pair>& pairs) {
  std::vector<PairedMetric*> tested;
  std::vector<double> p_values;
  for (Pair& pair : pairs) {
    for (PairedMetric& own : pair.metrics) {
      if (!own.of_classes || !own.test) continue;
      tested.push_back(&own);
      p_values.push_back(own.test->p_value);
    }
  }
  const std::vector<double> corrected = holm(p_values);
  for (std::size_t i = 0; i < tested.size(); ++i) tested[i]->corrected = corrected[i];
}

/// Of the first evaluation that tells them: older ones do not.
Groups known_groups(const std::vector<LoadedEvaluation>& evaluations) {
  for (const LoadedEvaluation& one : evaluations) {
    std::vector<std::string> names;
    for (const LoadedCase& item : one.cases) {
      names.push_back(item.group.empty() ? item.id : item.group);
    }
    Groups out = groups_of(names);
    if (!out.empty()) return out;
  }
  return {};
}

}  // namespace

bool PairedMetric::of_magnitudes() const {
  return metric.kind == MetricKind::bias;
}

std::string PairedMetric::name() const {
  const char* const bar = of_magnitudes() ? "|" : "";
  const std::string plain = concat(bar, metric.name, bar);
  return of_classes ? plain : concat(plain, ", ", of);
}

void check_comparable(const std::vector<LoadedEvaluation>& evaluations) {
  for (std::size_t i = 1; i < evaluations.size(); ++i) {
    const LoadedEvaluation& a = evaluations.front();
    const LoadedEvaluation& b = evaluations[i];
    check_same(a, b, "the data's SHA-256", a.data_sha256, b.data_sha256);
    check_same(a, b, "the split's SHA-256", a.split_sha256, b.split_sha256);
    check_same(a, b, "the part", a.part, b.part);
    check_same(a, b, "the list of classes", join(a.class_names, ", "), join(b.class_names, ", "));
    check_same(a, b, "the pixel spacing", a.spacing, b.spacing);
    check_same(a, b, "the tolerance of NSD", a.tolerance, b.tolerance);
    check_same(a, b, "the number of cases", std::to_string(a.cases.size()),
               std::to_string(b.cases.size()));
    for (std::size_t c = 0; c < a.cases.size(); ++c) {
      check_same(a, b, concat("case ", c + 1), a.cases[c].id, b.cases[c].id);
      check_truth(a, b, c);
    }
  }
}

LoadedEvaluation averaged(const std::vector<LoadedEvaluation>& runs) {
  check_comparable(runs);
  LoadedEvaluation out = runs.front();
  out.runs.clear();
  for (const LoadedEvaluation& run : runs) {
    out.runs.push_back(run.name);
    std::vector<std::string> keys;
    for (const Metric& one : run.metrics) keys.push_back(one.key);
    std::vector<std::string> first;
    for (const Metric& one : out.metrics) first.push_back(one.key);
    check_same(runs.front(), run, "the list of metrics", join(first, ", "), join(keys, ", "));
  }
  for (std::size_t i = 0; i < out.cases.size(); ++i) {
    Values dice;
    for (const LoadedEvaluation& run : runs) dice.push_back(run.cases[i].dice);
    out.cases[i].dice = mean_of_defined(dice);
    for (std::size_t c = 0; c < out.class_names.size(); ++c) {
      LoadedClass& own = out.cases[i].classes[c];
      own.runs.clear();
      for (const LoadedEvaluation& run : runs) {
        own.runs.push_back(run.cases[i].classes[c].runs.front());
      }
    }
  }
  return out;
}

Comparison compare(std::vector<LoadedEvaluation> evaluations, const CompareOptions& options) {
  if (evaluations.size() < 2) throw_usage("compare needs at least two evaluations");
  if (options.metrics.empty()) throw_usage("compare needs at least one metric");
  for (const std::string& key : options.metrics) {
    for (const LoadedEvaluation& one : evaluations) position_of(one, key);
  }
  check_comparable(evaluations);
  Comparison out;
  out.evaluations = std::move(evaluations);
  out.groups = known_groups(out.evaluations);
  out.options = options;
  for (std::size_t a = 0; a < out.evaluations.size(); ++a) {
    for (std::size_t b = a + 1; b < out.evaluations.size(); ++b) {
      out.pairs.push_back(paired_evaluations(out, a, b));
    }
  }
  correct(out.pairs);
  return out;
}

}  // namespace medurwkv::judge
