// The comparison as one page. Relies on judge/report/comparison.h, judge/report/page.h and
// judge/report/charts.h.
#include <algorithm>

#include "core/markup.h"
#include "core/text.h"
#include "core/version.h"
#include "judge/report/charts.h"
#include "judge/report/comparison.h"
#include "judge/report/page.h"
#include "judge/summary.h"

namespace medurwkv::judge {

namespace {

std::string number(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "–";
}

std::string p_text(const std::optional<double>& p) {
  if (!p) return "–";
  return *p < 1e-4 ? "< 0.0001" : fixed(*p, 4);
}

std::string with_sign(const std::optional<double>& value, int digits) {
  return value ? concat(*value > 0 ? "+" : "", fixed(*value, digits)) : "–";
}

std::string magnitudes_note(const Pair& pair) {
  const auto of_magnitudes = [](const PairedMetric& own) { return own.of_magnitudes(); };
  const bool any = std::any_of(pair.metrics.begin(), pair.metrics.end(), of_magnitudes);
  return any ? " Between bars |…|: magnitudes are compared, 0 is best." : "";
}

// The rule by which means here differ from those of the evaluations, and how often it was used.
std::string perfect_note(const Pair& pair, const std::string& a, const std::string& b) {
  return concat(
      "<p>Where the truth lacks a class and one side predicts it, the side that does not "
      "counts as perfect (Dice 1, HD95 0), before any mean over classes; where neither "
      "predicts it, the class of that case is left out. So means here can differ from "
      "those of the evaluations. Counted as perfect: ",
      html_escape(a), " ", pair.first_perfect, ", ", html_escape(b), " ", pair.second_perfect,
      " (classes of cases).</p>\n");
}

std::string metrics_table(const Comparison& comparison, const Pair& pair) {
  const LoadedEvaluation& a = comparison.evaluations[pair.first];
  const LoadedEvaluation& b = comparison.evaluations[pair.second];
  HtmlTable table(concat("Differences between ", a.name, " and ", b.name),
                  concat("Per case, ", b.name, " minus ", a.name,
                         "; without a class: means over classes; lengths in ", a.unit,
                         ". p: Wilcoxon’s signed-rank test, two-sided; Holm: corrected for all "
                         "tests of means over classes on this page. Effect: rank-biserial "
                         "correlation, −1 to 1. b / w / e: cases in which ",
                         b.name, " is better, worse, equal; their sum is how many were used.",
                         magnitudes_note(pair)),
                  {"Metric", a.name, b.name, "Difference", "95 % interval", "b / w / e", "Effect",
                   "p", "Holm"});
  for (const PairedMetric& own : pair.metrics) {
    const int digits = own.metric.kind == MetricKind::length ? 2 : 3;
    const auto& interval = own.difference.interval;
    table.row({own.name(), number(own.first.mean, digits), number(own.second.mean, digits),
               with_sign(own.difference.mean, digits),
               interval ? concat(with_sign(interval->low, digits), " to ",
                                 with_sign(interval->high, digits))
                        : "–",
               concat(own.better, " / ", own.worse, " / ", own.equal),
               own.test ? with_sign(own.test->rank_biserial, 2) : "–",
               p_text(own.test ? std::optional(own.test->p_value) : std::nullopt),
               p_text(own.corrected)});
  }
  return table.html();
}

std::string changes_table(const Pair& pair, const std::string& a, const std::string& b) {
  if (pair.changes.empty()) return "<p>No case changed.</p>\n";
  constexpr std::size_t most = 20;
  HtmlTable table(
      "Cases that changed most",
      concat("By Dice, mean over classes; the first ", std::min(most, pair.changes.size()), " of ",
             pair.changes.size(), " cases that changed. All are in comparison.json."),
      {"Case", a, b, "Difference"});
  for (std::size_t i = 0; i < std::min(most, pair.changes.size()); ++i) {
    const Change& change = pair.changes[i];
    table.row({change.id, fixed(change.first, 3), fixed(change.second, 3),
               with_sign(change.second - change.first, 3)});
  }
  return table.html();
}

std::string pair_section(const Comparison& comparison, std::size_t index,
                         const std::vector<ChangePictures>& pictures) {
  const Pair& pair = comparison.pairs[index];
  const std::string& a = comparison.evaluations[pair.first].name;
  const std::string& b = comparison.evaluations[pair.second].name;
  std::string out = html_heading(concat(b, " against ", a), concat("pair-", index + 1));
  out += metrics_table(comparison, pair) + perfect_note(pair, a, b);
  out += concat("<h3>Dice, case by case</h3>\n<figure>",
                differences_svg(pair.dice_differences, concat("differences-", index + 1),
                                concat("Dice of ", b, " minus ", a, ", mean over classes")),
                "<figcaption>A bar per case: blue where ", html_escape(b),
                " is better, orange where it is worse.</figcaption></figure>\n",
                "<h3>Cases that changed most</h3>\n", changes_table(pair, a, b));
  for (const ChangePictures& own : pictures) {
    if (own.pair != index) continue;
    out += concat("<h3>", html_escape(own.id), "</h3>\n<div class=\"pictures\">\n");
    for (std::size_t i = 0; i < own.png.size(); ++i) {
      out += html_picture(own.png[i], "image/png", own.alts.at(i), own.captions.at(i));
    }
    out += "</div>\n";
  }
  return out;
}

/// The spread of mean Dice between the models of a series.
std::string between_text(const LoadedEvaluation& one) {
  const auto found = one.between.find("dice");
  if (found == one.between.end()) return {};
  return concat("; ", found->second.used, " models, ", number(found->second.mean, 3), " ± ",
                number(found->second.deviation, 3));
}

std::string summary(const Comparison& comparison) {
  std::vector<KeyFigure> figures;
  for (std::size_t e = 0; e < comparison.evaluations.size(); ++e) {
    const LoadedEvaluation& one = comparison.evaluations[e];
    std::vector<std::optional<double>> dice;
    for (const LoadedCase& item : one.cases) dice.push_back(item.dice);
    const Statistic own = statistic(dice);
    figures.push_back({concat(one.name, ": mean Dice"), number(own.mean, 3),
                       concat(one.folder.string(), "; as evaluated: ", own.used, " of ", own.of,
                              " cases", between_text(one))});
  }
  return key_figures(figures);
}

std::string provenance(const Comparison& comparison) {
  const LoadedEvaluation& any = comparison.evaluations.front();
  std::vector<std::pair<std::string, std::string>> facts{{"Program", concat("medurwkv ", version)},
                                                         {"Profile", "default"}};
  for (const LoadedEvaluation& one : comparison.evaluations) {
    facts.emplace_back(one.name, concat(one.subject, ", ", one.folder.string()));
    facts.emplace_back(concat(one.name, ": SHA-256 of summary.json"), one.sha256);
  }
  facts.emplace_back("Data", any.data_root);
  facts.emplace_back("Data SHA-256", any.data_sha256);
  facts.emplace_back("Split SHA-256",
                     any.split_sha256.empty() ? "none: the whole set" : any.split_sha256);
  facts.emplace_back("Part", any.part);
  facts.emplace_back("Differences of 0 in the test",
                     comparison.options.zeros == Zeros::pratt ? "pratt" : "wilcox");
  facts.emplace_back("Bootstrap draws, and the test takes",
                     drawn_text(static_cast<std::int64_t>(group_count(comparison.groups))));
  facts.emplace_back("Seed of the bootstrap", std::to_string(comparison.options.seed));
  return concat(html_heading("What made this page", "provenance"), "<pre>",
                html_escape(comparison.command), "</pre>\n", html_facts(facts));
}

}  // namespace

std::string comparison_html(const Comparison& comparison,
                            const std::vector<ChangePictures>& pictures) {
  const LoadedEvaluation& any = comparison.evaluations.front();
  std::vector<std::pair<std::string, std::string>> contents;
  std::string body;
  for (std::size_t i = 0; i < comparison.pairs.size(); ++i) {
    const Pair& pair = comparison.pairs[i];
    contents.emplace_back(concat("pair-", i + 1),
                          concat(comparison.evaluations[pair.second].name, " against ",
                                 comparison.evaluations[pair.first].name));
    body += pair_section(comparison, i, pictures);
  }
  contents.emplace_back("provenance", "What made it");
  std::vector<std::string> names;
  for (const LoadedEvaluation& one : comparison.evaluations) {
    names.push_back(concat(one.name, " = ", one.folder.string()));
  }
  return html_page(
      concat("Comparison of ", comparison.evaluations.size(), " evaluations"),
      concat(any.cases.size(), " cases of the part “", any.part, "”, paired; ", join(names, ", ")),
      summary(comparison) + html_contents(contents) + body + provenance(comparison));
}

}  // namespace medurwkv::judge
