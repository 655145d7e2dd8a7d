// report.html: the evaluation as one page that reads well on a phone, on a screen and on paper.
// Relies on judge/report.h, judge/html.h and judge/histogram.h.
#include "core/text.h"
#include "core/version.h"
#include "judge/histogram.h"
#include "judge/html.h"
#include "judge/report.h"

namespace medurwkv::judge {

namespace {

constexpr char style[] = R"css(
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; color: #1b1f24; background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #d0d7de; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p, li, dd { max-width: 46rem; }
.lead { color: #414a53; margin-top: 0; }
.keys { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 1rem 0; padding: 0; }
.keys div { border: 1px solid #d0d7de; border-radius: .4rem; padding: .6rem .8rem; }
.keys dt { font-size: .85rem; color: #414a53; }
.keys dd { margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.3; }
.keys dd small { display: block; font-size: .8rem; font-weight: 400; color: #414a53; }
.note { border-left: .3rem solid #9a6700; background: #fff8e5; padding: .5rem .8rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid #0b62c4; outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0; color: #414a53; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e3e7eb; text-align: right;
  white-space: nowrap; }
th:first-child, td.text { text-align: left; }
thead th { border-bottom: 2px solid #6b7680; vertical-align: bottom; }
tbody th { font-weight: 400; }
tr.group th { font-weight: 600; padding-top: .8rem; white-space: normal; }
svg { width: 100%; max-width: 40rem; height: auto; display: block; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; }
figure img { max-width: 100%; height: auto; display: block; border: 1px solid #d0d7de; }
figcaption { font-size: .9rem; color: #414a53; margin-top: .3rem; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dl.facts dt { color: #414a53; }
dl.facts dd, code { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f5f7; padding: .6rem .8rem; }
@media (max-width: 34rem) { dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .scroll { overflow: visible; }
  table { font-size: 8pt; } thead { display: table-header-group; } tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; } .pictures { grid-template-columns: repeat(3, 1fr); } }
)css";

std::string number(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "–";
}

int digits_of(const MetricInfo& metric) {
  return metric.is_length ? 2 : 3;
}

std::string heading(const MetricInfo& metric, const std::string& unit) {
  return metric.is_length ? concat(metric.name, " (", unit, ")") : metric.name;
}

std::string key_figure(const std::string& name, const std::string& value,
                       const std::string& detail) {
  return concat("<div><dt>", html_escape(name), "</dt><dd>", html_escape(value), "<small>",
                html_escape(detail), "</small></dd></div>\n");
}

std::string key_figures(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  const auto& guess = report.evaluation.guess;
  std::int64_t missed = 0;
  std::int64_t hallucinated = 0;
  for (const ClassSummary& own : summary.classes) {
    missed += own.missed;
    hallucinated += own.hallucinated;
  }
  const Statistic& dice = summary.class_mean[0];
  const std::string used = concat(dice.used, " of ", dice.of, " cases");
  const auto& interval = summary.dice_interval;
  std::string out = "<dl class=\"keys\">\n";
  out += key_figure("Mean Dice", number(dice.mean, 3),
                    interval ? concat("95 % interval ", fixed(interval->low, 3), " to ",
                                      fixed(interval->high, 3), "; ", used)
                             : used);
  out += key_figure(
      "Best constant guess", number(guess ? guess->summary.mean : std::nullopt, 3),
      guess ? concat("mean Dice, ", guess->summary.used, " of ", guess->summary.of, " cases")
            : "no training mask has foreground");
  out += key_figure("Missed", std::to_string(missed), "in the truth, nothing predicted");
  out += key_figure("Hallucinated", std::to_string(hallucinated), "predicted, not in the truth");
  return out + "</dl>\n";
}

std::string notes(const Report& report) {
  std::string out;
  const auto note = [&](const std::string& text) {
    out += concat("<p class=\"note\">", html_escape(text), "</p>\n");
  };
  const Provenance& from = report.provenance;
  if (same_split(from) == false) {
    note(
        "The model was trained on another split file than the one judged here. Cases of this part "
        "may have been in its training, and then the figures are too good.");
  }
  if (from.part == "train" || from.part == "all") {
    note(
        "The judged part holds the cases the model was trained on. These figures do not tell how "
        "the model does on new images.");
  }
  const auto& guess = report.evaluation.guess;
  const auto& merged = report.evaluation.summary.merged_dice.mean;
  if (guess && guess->summary.mean && merged && *merged <= *guess->summary.mean) {
    note("The model is no better than one ellipse that never looks at the image.");
  }
  return out;
}

// Opens a table that scrolls sideways on a narrow screen, reachable by keyboard.
std::string open_table(const std::string& label, const std::string& caption) {
  return concat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                html_escape(label), "\"><table><caption>", html_escape(caption), "</caption>\n");
}
constexpr char close_table[] = "</tbody></table></div>\n";

std::string statistic_row(const std::string& name, const Statistic& statistic, int digits) {
  return concat("<tr><th scope=\"row\">", html_escape(name), "</th><td>",
                number(statistic.mean, digits), "</td><td>", number(statistic.deviation, digits),
                "</td><td>", number(statistic.median, digits), "</td><td>", statistic.used, " of ",
                statistic.of, "</td></tr>\n");
}

std::string group_row(const std::string& text) {
  return concat("</tbody><tbody><tr class=\"group\"><th scope=\"rowgroup\" colspan=\"5\">",
                html_escape(text), "</th></tr>\n");
}

std::string metric_rows(const std::array<Statistic, metric_count>& statistics,
                        const std::string& unit) {
  std::string out;
  for (std::size_t m = 0; m < metric_count; ++m) {
    out += statistic_row(heading(metrics[m], unit), statistics[m], digits_of(metrics[m]));
  }
  return out;
}

std::string metrics_table(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  const std::string unit = length_unit(report.provenance.spacing);
  std::string out = open_table("Metrics", "Over cases. Used: cases where the metric is defined.");
  out +=
      "<thead><tr><th scope=\"col\">Metric</th><th scope=\"col\">Mean</th>"
      "<th scope=\"col\">Standard deviation</th><th scope=\"col\">Median</th>"
      "<th scope=\"col\">Used</th></tr></thead><tbody>\n";
  for (const ClassSummary& own : summary.classes) {
    out += group_row(concat(report.classes.at(own.label).name, ": in ", own.in_truth, " of ",
                            summary.cases, " cases; ", own.missed, " missed, ", own.hallucinated,
                            " hallucinated"));
    out += metric_rows(own.metrics, unit);
  }
  if (summary.classes.size() > 1) {
    out += group_row("Mean over classes");
    out += metric_rows(summary.class_mean, unit);
    out += group_row("All classes merged into one");
    out += statistic_row("Dice", summary.merged_dice, 3);
  }
  if (const auto& guess = report.evaluation.guess) {
    out += group_row(concat("Best constant guess: an ellipse with semi-axes of ",
                            fixed(guess->ellipse.semi_axis_x, 3), " of the width and ",
                            fixed(guess->ellipse.semi_axis_y, 3), " of the height"));
    out += statistic_row("Dice, all classes merged", guess->summary, 3);
  }
  return out + close_table;
}

std::string pictures(const Report& report) {
  if (report.examples.empty()) return {};
  std::string out = "<h2>Best, median and worst case</h2>\n<div class=\"pictures\">\n";
  for (const Example& example : report.examples) {
    out += concat("<figure><img alt=\"", html_escape(example.alt),
                  "\" src=\"data:image/png;base64,", base64(example.png), "\"><figcaption>",
                  html_escape(example.caption), "</figcaption></figure>\n");
  }
  return out + "</div>\n";
}

std::string cases_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  const std::string unit = length_unit(report.provenance.spacing);
  std::string out = open_table("All cases",
                               "Every case and class; the same figures with all digits "
                               "are in cases.csv. A dash: not defined.");
  out += "<thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Class</th>";
  for (const MetricInfo& metric : metrics) {
    out += concat("<th scope=\"col\">", heading(metric, unit), "</th>");
  }
  out += "</tr></thead><tbody>\n";
  for (const CaseScores& scores : evaluation.cases) {
    for (const ClassScores& own : scores.classes) {
      out += concat("<tr><th scope=\"row\">", html_escape(scores.id), "</th><td class=\"text\">",
                    html_escape(report.classes.at(own.label).name), "</td>");
      for (const MetricInfo& metric : metrics) {
        out += concat("<td>", number(own.*metric.value, digits_of(metric)), "</td>");
      }
      out += "</tr>\n";
    }
  }
  return out + close_table;
}

constexpr char how_computed[] = R"html(<h2>How each figure was computed</h2>
<p>TP, FP, FN and TN are a class's true positive, false positive, false negative and true negative
pixels in one image, at the image's own resolution; pixels marked as ignored in the truth count
nowhere. A border is the pixels of a class with a 4-neighbour outside it, beyond the image all being
outside; distances are exact, between pixel centres, and honour the pixel spacing.</p>
<ul>
<li>Dice = 2 TP / (2 TP + FP + FN), IoU = TP / (TP + FP + FN), precision = TP / (TP + FP),
recall = TP / (TP + FN), specificity = TN / (TN + FP); each is left out where it would be 0 / 0.</li>
<li>HD95 is the larger of the two directions’ 95th percentiles (linear interpolation) of the
distances from one border to the other.</li>
<li>ASSD is the mean, over the pixels of both borders, of the distance to the other border.</li>
<li>Truth and prediction both empty: Dice, IoU, HD95 and ASSD are left out. One of them empty: Dice
and IoU are 0, HD95 and ASSD are the diagonal of the image.</li>
<li>Mean, sample standard deviation and median are taken over the cases where the figure is defined;
“used” counts those. A case’s mean Dice is the mean over its classes where Dice is defined.</li>
<li>The interval of the mean Dice is the 2.5th to 97.5th percentile of 2000 means of cases drawn with
replacement (bootstrap).</li>
<li>The best constant guess is one ellipse in the middle of the image, its two semi-axes chosen for
the largest mean Dice of all foreground on the training masks, and judged on the same cases as the
model, all classes merged. A useful model lies well above it.</li>
</ul>
)html";

std::string provenance(const Report& report) {
  const Provenance& from = report.provenance;
  std::string out = "<h2>What made this report</h2>\n<pre>" + html_escape(from.command) +
                    "</pre>\n<dl class=\"facts\">\n";
  const auto fact = [&](const std::string& name, const std::string& value) {
    out += concat("<dt>", html_escape(name), "</dt><dd>", html_escape(value), "</dd>\n");
  };
  const auto same = same_split(from);
  fact("Program", concat("medurwkv ", version));
  fact("Profile", profile_name);
  fact("Model", from.model.file);
  fact("Network", from.model.network);
  fact("Model SHA-256", from.model.sha256);
  fact("Data", from.data_root);
  fact("Data SHA-256", from.data_sha256);
  fact("Split", concat(from.split_file, ", part ", from.part));
  fact("Split SHA-256", from.split_sha256);
  fact("Split of the training", !same ? "unknown" : *same ? "the same" : "another");
  fact("Pixel spacing", concat(from.spacing.x, " x ", from.spacing.y, " (lengths in ",
                               length_unit(from.spacing), ")"));
  fact("Seed of the bootstrap", std::to_string(report.evaluation.summary.seed));
  return out + "</dl>\n";
}

std::string distribution(const Report& report) {
  Histogram histogram;
  for (const CaseScores& scores : report.evaluation.cases) {
    if (scores.dice()) histogram.values.push_back(*scores.dice());
  }
  const auto& guess = report.evaluation.guess;
  histogram.median = report.evaluation.summary.class_mean[0].median;
  histogram.reference = guess ? guess->summary.mean : std::nullopt;
  histogram.reference_name = "constant guess";
  return concat(
      "<h2>Distribution of Dice</h2>\n<figure>", histogram_svg(histogram),
      "<figcaption>Cases by their mean Dice over classes. Solid line: median of the cases. "
      "Dashed line: mean Dice of the best constant guess.</figcaption></figure>\n");
}

}  // namespace

std::string report_html(const Report& report) {
  const Provenance& from = report.provenance;
  const std::string name = std::filesystem::path(from.model.file).filename().string();
  const std::string title = concat("Evaluation of ", name);
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      html_escape(title), "</title>\n<style>", style, "</style>\n</head>\n<body>\n<main>\n<h1>",
      html_escape(title), "</h1>\n<p class=\"lead\">",
      html_escape(concat(from.model.network, ", ", report.evaluation.summary.cases,
                         " cases of the part “", from.part, "”, profile “", profile_name, "”")),
      "</p>\n", notes(report), key_figures(report), distribution(report), "<h2>Metrics</h2>\n",
      metrics_table(report), pictures(report), how_computed, provenance(report),
      "<h2>All cases</h2>\n", cases_table(report), "</main>\n</body>\n</html>\n");
}

}  // namespace medurwkv::judge
