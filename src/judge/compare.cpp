#include "judge/compare.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
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

std::size_t metric_index(const std::string& key) {
  std::vector<std::string> known;
  for (std::size_t m = 0; m < metric_count; ++m) {
    if (metrics[m].key == key) return m;
    known.emplace_back(metrics[m].key);
  }
  throw_usage(concat("unknown metric ", key, suggestion(key, known)));
}

// The best value there is.
double perfect(MetricKind kind) {
  return kind == MetricKind::share ? 1 : 0;
}

// A value of each side, or none of either.
using Couple = std::optional<std::pair<double, double>>;

// The class at `position` of one case. On an empty truth a figure is defined on one side alone when
// that side alone predicts the class: the other one is right.
Couple couple_of_class(const LoadedCase& a, const LoadedCase& b, std::size_t position,
                       std::size_t metric) {
  const MetricKind kind = metrics.at(metric).kind;
  const LoadedClass& own = a.classes.at(position);
  std::optional<double> first = own.values.at(metric);
  std::optional<double> second = b.classes.at(position).values.at(metric);
  if (own.true_pixels == 0 && first.has_value() != second.has_value()) {
    (first ? second : first) = perfect(kind);
  }
  if (!first || !second) return std::nullopt;
  if (kind == MetricKind::bias) return std::pair(std::abs(*first), std::abs(*second));
  return std::pair(*first, *second);
}

Couple couple_of_means(const LoadedCase& a, const LoadedCase& b, std::size_t metric) {
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

PairedMetric paired(std::size_t metric, const std::string& of, const std::vector<Couple>& couples,
                    const Comparison& comparison) {
  PairedMetric out;
  out.metric = metric;
  out.of = of;
  out.of_classes = of == mean_over_classes;
  const bool larger_is_better = metrics.at(metric).kind == MetricKind::share;
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
      const bool first_predicts = own.values[0].has_value();
      const bool second_predicts = b.cases[i].classes.at(c).values[0].has_value();
      if (first_predicts && !second_predicts) ++pair.second_perfect;
      if (second_predicts && !first_predicts) ++pair.first_perfect;
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
  const auto means = [&](std::size_t metric) {
    return couples(
        [&](const LoadedCase& x, const LoadedCase& y) { return couple_of_means(x, y, metric); });
  };
  Pair out;
  out.first = first;
  out.second = second;
  for (const std::string& key : comparison.options.metrics) {
    const std::size_t m = metric_index(key);
    out.metrics.push_back(paired(m, mean_over_classes, means(m), comparison));
    for (std::size_t c = 0; a.class_names.size() > 1 && c < a.class_names.size(); ++c) {
      const auto of_class = couples(
          [&](const LoadedCase& x, const LoadedCase& y) { return couple_of_class(x, y, c, m); });
      out.metrics.push_back(paired(m, a.class_names[c], of_class, comparison));
    }
  }
  add_changes(out, a, means(0));
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
  return metrics.at(metric).kind == MetricKind::bias;
}

std::string PairedMetric::name() const {
  const char* const bar = of_magnitudes() ? "|" : "";
  const std::string plain = concat(bar, metrics.at(metric).name, bar);
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

Comparison compare(std::vector<LoadedEvaluation> evaluations, const CompareOptions& options) {
  if (evaluations.size() < 2) throw_usage("compare needs at least two evaluations");
  if (options.metrics.empty()) throw_usage("compare needs at least one metric");
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
