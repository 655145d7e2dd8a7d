#include "judge/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"
#include "core/version.h"
#include "judge/summary.h"
#include "judge/text_table.h"

namespace medurwkv::judge {

namespace {

using Json = nlohmann::json;
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

std::size_t metric_index(const std::string& key) {
  std::vector<std::string> known;
  for (std::size_t m = 0; m < metric_count; ++m) {
    if (metrics[m].key == key) return m;
    known.emplace_back(metrics[m].key);
  }
  throw_usage(concat("unknown metric ", key, suggestion(key, known)));
}

// How much better b is than a: larger is better for shares, smaller for lengths, nearer to 0 for
// what is a bias.
double gain(MetricKind kind, double a, double b) {
  switch (kind) {
    case MetricKind::share: return b - a;
    case MetricKind::length: return a - b;
    case MetricKind::bias: return std::abs(a) - std::abs(b);
  }
  return 0;
}

PairedMetric paired(std::size_t metric, const std::string& of, const Values& a, const Values& b,
                    const CompareOptions& options) {
  PairedMetric out;
  out.metric = metric;
  out.of = of;
  out.of_classes = of == mean_over_classes;
  Values first;
  Values second;
  Values differences;
  std::vector<double> known;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool defined = a[i] && b[i];
    first.push_back(defined ? a[i] : std::nullopt);
    second.push_back(defined ? b[i] : std::nullopt);
    differences.push_back(defined ? std::optional(*b[i] - *a[i]) : std::nullopt);
    if (!defined) continue;
    known.push_back(*b[i] - *a[i]);
    const double better = gain(metrics.at(metric).kind, *a[i], *b[i]);
    ++(better > 0 ? out.better : better < 0 ? out.worse : out.equal);
  }
  out.first = statistic(first);
  out.second = statistic(second);
  out.difference = statistic(differences);
  out.difference.interval = bootstrap_interval(differences, bootstrap_resamples, options.seed);
  out.test = wilcoxon(known, options.zeros);
  return out;
}

Values means_of(const LoadedEvaluation& evaluation, std::size_t metric) {
  Values out;
  for (const LoadedCase& item : evaluation.cases) out.push_back(item.class_mean.at(metric));
  return out;
}

Values class_values(const LoadedEvaluation& evaluation, std::size_t metric, std::size_t position) {
  Values out;
  for (const LoadedCase& item : evaluation.cases) {
    out.push_back(item.classes.at(position).values.at(metric));
  }
  return out;
}

void add_changes(Pair& pair, const LoadedEvaluation& a, const LoadedEvaluation& b) {
  for (std::size_t i = 0; i < a.cases.size(); ++i) {
    const auto& first = a.cases[i].class_mean[0];
    const auto& second = b.cases[i].class_mean[0];
    if (!first || !second) continue;
    pair.dice_differences.push_back(*second - *first);
    if (*first != *second) pair.changes.push_back({a.cases[i].id, *first, *second});
  }
  std::stable_sort(pair.changes.begin(), pair.changes.end(), [](const Change& x, const Change& y) {
    return std::abs(x.second - x.first) > std::abs(y.second - y.first);
  });
}

Pair paired_evaluations(const Comparison& comparison, std::size_t first, std::size_t second) {
  const LoadedEvaluation& a = comparison.evaluations[first];
  const LoadedEvaluation& b = comparison.evaluations[second];
  Pair out;
  out.first = first;
  out.second = second;
  for (const std::string& key : comparison.options.metrics) {
    const std::size_t m = metric_index(key);
    out.metrics.push_back(
        paired(m, mean_over_classes, means_of(a, m), means_of(b, m), comparison.options));
    for (std::size_t c = 0; a.class_names.size() > 1 && c < a.class_names.size(); ++c) {
      out.metrics.push_back(paired(m, a.class_names[c], class_values(a, m, c),
                                   class_values(b, m, c), comparison.options));
    }
  }
  add_changes(out, a, b);
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

std::string p_text(const std::optional<double>& p) {
  if (!p) return "-";
  return *p < 1e-4 ? "< 0.0001" : fixed(*p, 4);
}

std::string metric_line(const PairedMetric& own) {
  const MetricInfo& metric = metrics.at(own.metric);
  const int digits = metric.kind == MetricKind::length ? 2 : 4;
  const auto number = [&](const std::optional<double>& value) {
    return padded(number_or_dash(value, digits), 10, true);
  };
  const auto& interval = own.difference.interval;
  const std::string range =
      interval ? concat(fixed(interval->low, digits), " to ", fixed(interval->high, digits)) : "-";
  return concat(
      "  ", padded(own.name(), 30, false), number(own.first.mean), number(own.second.mean),
      number(own.difference.mean), "  ", padded(range, 20, false),
      padded(concat(own.better, "/", own.worse, "/", own.equal), 14, false),
      padded(p_text(own.test ? std::optional(own.test->p_value) : std::nullopt), 10, true),
      padded(p_text(own.corrected), 10, true), "   ", own.difference.used, " of ",
      own.difference.of, "\n");
}

Json test_json(const PairedMetric& own) {
  if (!own.test) return {};
  return {{"statistic", own.test->statistic},
          {"p", own.test->p_value},
          {"p_holm", or_null(own.corrected)},
          {"differences_not_zero", own.test->used},
          {"exact", own.test->exact}};
}

Json pair_json(const Comparison& comparison, const Pair& pair) {
  Json by_metric = Json::array();
  for (const PairedMetric& own : pair.metrics) {
    by_metric.push_back({{"metric", metrics.at(own.metric).key},
                         {"of", own.of},
                         {"first", to_json(own.first)},
                         {"second", to_json(own.second)},
                         {"difference", to_json(own.difference)},
                         {"better", own.better},
                         {"worse", own.worse},
                         {"equal", own.equal},
                         {"wilcoxon", test_json(own)}});
  }
  Json changes = Json::array();
  for (const Change& change : pair.changes) {
    changes.push_back({{"case", change.id},
                       {"first", change.first},
                       {"second", change.second},
                       {"difference", change.second - change.first}});
  }
  return {{"first", comparison.evaluations[pair.first].name},
          {"second", comparison.evaluations[pair.second].name},
          {"metrics", by_metric},
          {"changes", changes}};
}

}  // namespace

std::string PairedMetric::name() const {
  return of_classes ? metrics.at(metric).name : concat(metrics.at(metric).name, ", ", of);
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
    }
  }
}

Comparison compare(std::vector<LoadedEvaluation> evaluations, const CompareOptions& options) {
  if (evaluations.size() < 2) throw_usage("compare wants two evaluations or more");
  if (options.metrics.empty()) throw_usage("compare wants a metric");
  check_comparable(evaluations);
  Comparison out;
  out.evaluations = std::move(evaluations);
  out.options = options;
  for (std::size_t a = 0; a < out.evaluations.size(); ++a) {
    for (std::size_t b = a + 1; b < out.evaluations.size(); ++b) {
      out.pairs.push_back(paired_evaluations(out, a, b));
    }
  }
  correct(out.pairs);
  return out;
}

std::string comparison_text(const Comparison& comparison) {
  const LoadedEvaluation& any = comparison.evaluations.front();
  std::string out = concat(any.cases.size(), " cases of the part ", any.part,
                           ", profile default, lengths in ", any.unit, "\n");
  for (const LoadedEvaluation& one : comparison.evaluations) {
    out += concat("  ", one.name, "  ", one.subject, "  (", one.folder.string(), ")\n");
  }
  for (const Pair& pair : comparison.pairs) {
    const std::string& a = comparison.evaluations[pair.first].name;
    const std::string& b = comparison.evaluations[pair.second].name;
    out += concat("\n", b, " minus ", a, "\n  ", padded("", 30, false), padded(a, 10, true),
                  padded(b, 10, true), padded("mean diff", 10, true), "  ",
                  padded("95 % interval", 20, false), padded("better/w./eq.", 14, false),
                  padded("p", 10, true), padded("p (Holm)", 10, true), "   used\n");
    for (const PairedMetric& own : pair.metrics) out += metric_line(own);
    constexpr std::size_t most = 5;
    if (!pair.changes.empty()) out += "  changed most (Dice):\n";
    for (std::size_t i = 0; i < std::min(most, pair.changes.size()); ++i) {
      const Change& change = pair.changes[i];
      out += concat("    ", padded(change.id, 40, false), "  ", fixed(change.first, 4), " -> ",
                    fixed(change.second, 4), "\n");
    }
  }
  return out;
}

Json comparison_json(const Comparison& comparison) {
  Json evaluations = Json::array();
  for (const LoadedEvaluation& one : comparison.evaluations) {
    evaluations.push_back({{"name", one.name},
                           {"folder", one.folder.string()},
                           {"subject", one.subject},
                           {"summary_sha256", one.sha256}});
  }
  Json pairs = Json::array();
  for (const Pair& pair : comparison.pairs) pairs.push_back(pair_json(comparison, pair));
  const LoadedEvaluation& any = comparison.evaluations.front();
  return {{"format", 1},
          {"program", "medurwkv"},
          {"version", version},
          {"command", comparison.command},
          {"seed", comparison.options.seed},
          {"zeros", comparison.options.zeros == Zeros::pratt ? "pratt" : "wilcox"},
          {"data_sha256", any.data_sha256},
          {"split_sha256", text_or_null(any.split_sha256)},
          {"part", any.part},
          {"cases", any.cases.size()},
          {"evaluations", evaluations},
          {"pairs", pairs}};
}

}  // namespace medurwkv::judge
