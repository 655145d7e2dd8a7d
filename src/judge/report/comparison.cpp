#include "judge/report/comparison.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/version.h"
#include "judge/more_metrics.h"
#include "judge/report/text_table.h"

namespace medurwkv::judge {

using Json = nlohmann::json;

namespace {

std::string p_text(const std::optional<double>& p) {
  if (!p) return "-";
  return *p < 1e-4 ? "< 0.0001" : fixed(*p, 4);
}

std::string metric_line(const PairedMetric& own) {
  const int digits = own.metric.kind == MetricKind::length ? 2 : 4;
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
      padded(p_text(own.corrected), 10, true),
      padded(own.test ? fixed(own.test->rank_biserial, 2) : "-", 8, true), "   ",
      own.difference.used, " of ", own.difference.of, "\n");
}

// Notes on how a pair's figures differ from those of an evaluation alone.
std::string notes_of(const Pair& pair, const std::string& a, const std::string& b) {
  std::string out;
  if (pair.first_perfect + pair.second_perfect > 0) {
    out += concat(
        "  counted as perfect, where the truth lacks a class and only the other predicts "
        "it: ",
        a, " ", pair.first_perfect, ", ", b, " ", pair.second_perfect, "\n");
  }
  const auto of_magnitudes = [](const PairedMetric& own) { return own.of_magnitudes(); };
  if (std::any_of(pair.metrics.begin(), pair.metrics.end(), of_magnitudes)) {
    out += "  |...|: magnitudes are compared; 0 is best\n";
  }
  return out;
}

/// The spread between the models of a series.
std::string between_text(const LoadedEvaluation& one, const std::vector<std::string>& metrics) {
  std::string out;
  for (const std::string& key : metrics) {
    const auto found = one.between.find(key);
    if (found == one.between.end()) continue;
    const Metric metric = *metric_of_key(key);
    const int digits = metric.kind == MetricKind::length ? 2 : 4;
    out += concat("     ", metric.name, " of the ", found->second.used,
                  " models: ", number_or_dash(found->second.mean, digits), ", standard deviation ",
                  number_or_dash(found->second.deviation, digits), "\n");
  }
  return out;
}

Json between_json(const LoadedEvaluation& one) {
  if (one.between.empty()) return {};
  Json out;
  for (const auto& [key, own] : one.between) {
    out[key] = {
        {"mean", or_null(own.mean)}, {"deviation", or_null(own.deviation)}, {"models", own.used}};
  }
  return out;
}

Json test_json(const PairedMetric& own) {
  if (!own.test) return {};
  return {{"statistic", own.test->statistic},       {"p", own.test->p_value},
          {"p_holm", or_null(own.corrected)},       {"rank_biserial", own.test->rank_biserial},
          {"differences_not_zero", own.test->used}, {"exact", own.test->exact}};
}

Json pair_json(const Comparison& comparison, const Pair& pair) {
  Json by_metric = Json::array();
  for (const PairedMetric& own : pair.metrics) {
    by_metric.push_back({{"metric", own.metric.key},
                         {"of", own.of},
                         {"magnitudes", own.of_magnitudes()},
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
          {"counted_as_perfect", {{"first", pair.first_perfect}, {"second", pair.second_perfect}}},
          {"metrics", by_metric},
          {"changes", changes}};
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  const LoadedEvaluation& any = comparison.evaluations.front();
  std::string out = concat(any.cases.size(), " cases of the part ", shown(any.part),
                           ", profile default, lengths in ", shown(any.unit), "\n");
  if (const std::size_t groups = group_count(comparison.groups); groups > 0) {
    out += concat("intervals draw ", groups, " groups of cases; p is of their mean differences\n");
  }
  for (const LoadedEvaluation& one : comparison.evaluations) {
    out += concat("  ", one.name, "  ", shown(one.subject), "  (", one_line(one.folder.string()),
                  ")\n", between_text(one, comparison.options.metrics));
  }
  for (const Pair& pair : comparison.pairs) {
    const std::string& a = comparison.evaluations[pair.first].name;
    const std::string& b = comparison.evaluations[pair.second].name;
    out += concat("\n", b, " minus ", a, "\n  ", padded("", 30, false), padded(a, 10, true),
                  padded(b, 10, true), padded("mean diff", 10, true), "  ",
                  padded("95 % interval", 20, false), padded("better/w./eq.", 14, false),
                  padded("p", 10, true), padded("p (Holm)", 10, true), padded("effect", 8, true),
                  "   used\n");
    for (const PairedMetric& own : pair.metrics) out += metric_line(own);
    out += notes_of(pair, a, b);
    constexpr std::size_t most = 5;
    if (!pair.changes.empty()) out += "  changed most (Dice):\n";
    for (std::size_t i = 0; i < std::min(most, pair.changes.size()); ++i) {
      const Change& change = pair.changes[i];
      out += concat("    ", padded(shown(change.id), 40, false), "  ", fixed(change.first, 4),
                    " -> ", fixed(change.second, 4), "\n");
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
                           {"summary_sha256", one.sha256},
                           {"runs", one.between.empty() ? Json() : Json(one.runs)},
                           {"between_runs", between_json(one)}});
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
          {"groups", comparison.groups.empty() ? Json() : Json(group_count(comparison.groups))},
          {"evaluations", evaluations},
          {"pairs", pairs}};
}

}  // namespace medurwkv::judge
