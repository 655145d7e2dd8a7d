// report.html: the evaluation as one page that reads well on a phone, on a screen and on paper.
// Relies on judge/report/report.h, judge/report/page.h and the diagrams of judge/report/charts.h
// and judge/report/histogram.h.
#include <algorithm>

#include "core/markup.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/version.h"
#include "judge/report/cells.h"
#include "judge/report/charts.h"
#include "judge/report/histogram.h"
#include "judge/report/page.h"
#include "judge/report/report.h"

namespace medurwkv::judge {

namespace {

std::string figures(const Report& report) {
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
  const auto& interval = dice.interval;
  std::vector<KeyFigure> out{
      {"Mean Dice", number(dice.mean, 3),
       interval ? concat("95 % interval ", fixed(interval->low, 3), " to ",
                         fixed(interval->high, 3), "; ", used)
                : used},
      {"Best constant guess", number(guess ? guess->like().mean : std::nullopt, 3),
       guess_text(report)},
      {"Missed", std::to_string(missed), "in the truth, nothing predicted"},
      {"Hallucinated", std::to_string(hallucinated), "predicted, not in the truth"}};
  return key_figures(out);
}

std::string notes(const Report& report) {
  std::string out;
  for (const std::string& remark : remarks(report)) out += html_note(remark);
  return out;
}

/// Of the profile `default`; what was asked for beside stands in more_figures_html.
void metric_rows(HtmlTable& table, const Report& report, const std::vector<Statistic>& statistics) {
  for (std::size_t m = 0; m < metric_count; ++m) {
    const Metric& own = report.evaluation.metrics.at(m);
    table.row(statistic_cells(metric_heading(own, report), statistics.at(m), digits_of(own)));
  }
}

std::string ellipse_text(const Ellipse& ellipse) {
  return concat("semi-axes of ", fixed(ellipse.semi_axis_x, 3), " of the width and ",
                fixed(ellipse.semi_axis_y, 3), " of the height");
}

void guess_rows(HtmlTable& table, const ConstantGuess& guess, const Report& report) {
  if (!guess.classes.empty()) {
    table.group("Best constant guess: an ellipse for each class");
    table.row(statistic_cells("Dice, mean over classes", guess.class_mean_summary, 3));
    for (std::size_t c = 0; c < guess.classes.size(); ++c) {
      const auto& [ellipse, dice] = guess.classes[c];
      table.row(statistic_cells(
          concat("Dice of ", report.classes.at(c + 1).name,
                 ellipse ? concat(", ", ellipse_text(*ellipse)) : ", in no training mask"),
          statistic(dice), 3));
    }
  }
  table.group(concat("Best constant guess: an ellipse with ", ellipse_text(guess.ellipse)));
  table.row(statistic_cells("Dice, all classes merged", guess.summary, 3));
}

std::string metrics_table(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  HtmlTable table("Metrics", "Over cases. Used: cases where the metric is defined.",
                  {"Metric", "Mean", "95 % interval", "Standard deviation", "Median", "Used"});
  for (const ClassSummary& own : summary.classes) {
    table.group(concat(report.classes.at(own.label).name, ": in ", own.in_truth, " of ",
                       summary.cases, " cases; ", own.missed, " missed, ", own.hallucinated,
                       " hallucinated"));
    metric_rows(table, report, own.metrics);
  }
  if (summary.classes.size() > 1) {
    table.group("Mean over classes");
    metric_rows(table, report, summary.class_mean);
    table.group("All classes merged into one");
    table.row(statistic_cells("Dice", summary.merged_dice, 3));
  }
  if (const auto& guess = report.evaluation.guess) {
    guess_rows(table, *guess, report);
  }
  return table.html();
}

std::string profiles_table(const Report& report) {
  const auto& tables = report.evaluation.profiles;
  if (tables.size() < 2) return {};
  std::vector<std::string> heads{"Profile"};
  for (const ProfileColumn& column : profile_columns) heads.emplace_back(column.name);
  heads.emplace_back("Over");
  HtmlTable table(
      "Profiles",
      "The same predictions by the rules that others publish by; means over units and "
      "classes, in brackets over how many units. A dash: the profile has no such figure. All "
      "digits are in profiles.csv.",
      heads);
  for (const ProfileTable& own : tables) {
    std::vector<std::string> cells{own.profile};
    for (const ProfileColumn& column : profile_columns) {
      const std::string cell = profile_cell(own, column, column.is_length ? 2 : 3);
      cells.push_back(cell.empty() ? "–" : cell);
    }
    cells.push_back(own.unit_count());
    table.row(cells);
  }
  return html_heading("Other rules, side by side", "profiles") + table.html();
}

std::string pictures(const std::vector<Example>& examples) {
  std::string out = "<div class=\"pictures\">\n";
  for (const Example& example : examples) {
    out += html_picture(example.png, "image/png", example.alt, example.caption);
  }
  return out + "</div>\n";
}

std::string failures(const Report& report) {
  const auto failed = failed_cases(report.evaluation);
  std::string out = html_heading("Missed and hallucinated", "failures");
  if (failed.empty()) {
    return out + "<p>None: every class that a case has was found in it, and no other.</p>\n";
  }
  constexpr std::size_t most = 200;
  HtmlTable table("Missed and hallucinated cases",
                  failed.size() > most
                      ? concat("The first ", most, " of ", failed.size(), "; all are in cases.csv.")
                      : "Every case with a class that is only in the truth or only predicted.",
                  {"Case", "What", "Class", "Pixels"}, 2);
  for (std::size_t i = 0; i < std::min(most, failed.size()); ++i) {
    const auto& [index, label, missed] = failed[i];
    const CaseScores& scores = report.evaluation.cases[index];
    const ClassScores& own = scores.classes.at(label - std::size_t{1});
    table.row({scores.id, missed ? "missed" : "hallucinated", report.classes.at(label).name,
               with_thousands(own.false_negative + own.false_positive)});
  }
  out += html_folded(concat(failed.size(), " in ", report.evaluation.cases.size(), " cases"),
                     table.html());
  if (!report.failures.empty()) out += pictures(report.failures);
  return out;
}

std::string cases_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  constexpr std::size_t most_rows = 4000;
  const std::size_t most =
      std::max<std::size_t>(1, most_rows / std::max<std::size_t>(1, report.classes.size() - 1));
  const std::size_t shown = std::min(most, evaluation.cases.size());
  std::vector<std::string> heads{"Case", "Class"};
  for (const Metric& metric : evaluation.metrics) heads.push_back(metric_heading(metric, report));
  HtmlTable table(
      "All cases",
      concat(shown < evaluation.cases.size()
                 ? concat("The first ", shown, " of ", evaluation.cases.size(), " cases")
                 : std::string("Every case"),
             " by class; the same figures with all digits are in cases.csv. A dash: not defined."),
      heads, 1);
  for (std::size_t i = 0; i < shown; ++i) {
    const CaseScores& scores = evaluation.cases[i];
    for (const ClassScores& own : scores.classes) {
      std::vector<std::string> cells{scores.id, report.classes.at(own.label).name};
      for (std::size_t m = 0; m < evaluation.metrics.size(); ++m) {
        cells.push_back(number(value_of(own, m), digits_of(evaluation.metrics[m])));
      }
      table.row(cells);
    }
  }
  return html_heading("All cases", "cases") +
         html_folded(concat("Every figure of ", shown, " cases"), table.html());
}

constexpr char how_computed[] = R"html(<p>TP, FP, FN and TN are a class's true positive, false
positive, false negative and true negative pixels in one image, at the image's own resolution; pixels
marked as ignored in the truth count nowhere. A border is the pixels of a class with a 4-neighbour
outside it, beyond the image all being outside; distances are exact, between pixel centres, and honour
the pixel spacing.</p>
<ul>
<li>Dice = 2 TP / (2 TP + FP + FN), IoU = TP / (TP + FP + FN), precision = TP / (TP + FP),
recall = TP / (TP + FN), specificity = TN / (TN + FP), volume difference = (FP − FN) / (TP + FN); each
is left out where it would be a division by 0.</li>
<li>HD95 is the larger of the two directions’ 95th percentiles (linear interpolation) of the
distances from one border to the other.</li>
<li>ASSD is the mean, over the pixels of both borders, of the distance to the other border; NSD the
share of them within the tolerance.</li>
<li>Boundary IoU is the IoU of the inner bands along both borders, 2 % of the image’s diagonal
wide.</li>
<li>Truth and prediction both empty: the figures are left out. One of them empty: Dice, IoU, NSD and
boundary IoU are 0, HD95 and ASSD are the diagonal of the image.</li>
<li>Mean, sample standard deviation and median are taken over the cases where the figure is defined;
“used” counts those. A case’s mean Dice is the mean over its classes where Dice is defined.</li>
<li>An interval is the 2.5th to 97.5th percentile of 2000 means of cases drawn with replacement
(bootstrap). Where cases have groups (slices of a patient), whole groups are drawn.</li>
<li>The best constant guess is one ellipse in the middle of the image, its two semi-axes chosen for
the largest mean Dice on the training masks, and judged on the same cases as the model. With several
classes each has an ellipse of its own, and the mean over classes is compared with the model's. A
useful model lies well above it.</li>
</ul>
)html";

std::string provenance(const Report& report) {
  const Provenance& from = report.provenance;
  std::vector<std::pair<std::string, std::string>> facts;
  const auto fact = [&](const std::string& name, const std::string& value) {
    facts.emplace_back(name, value);
  };
  fact("Program", concat("medurwkv ", version));
  fact("Profile", profiles[0].name);
  for (const ModelDescription& model : from.models) {
    fact("Model", concat(model.file, " (", model.network, ")"));
    fact("Model SHA-256 (content)", model.content_sha256);
  }
  if (from.masks) {
    fact("Predicted masks", concat(from.masks->folder, " (", from.masks->encoding, ")"));
    fact("Masks SHA-256", from.masks->sha256);
  }
  fact("Data", from.data_root);
  fact("Data SHA-256", from.data_sha256);
  if (from.split_file.empty()) {
    fact("Split", "none: the whole set");
  } else {
    fact("Split", concat(from.split_file, ", part ", from.part));
    fact("Split SHA-256", from.split_sha256);
  }
  if (!from.models.empty()) {
    const auto same = same_split(from);
    fact("Split of the training", !same ? "unknown" : *same ? "the same" : "another");
  }
  if (!from.volumes.empty()) fact("Volumes by", from.volumes);
  if (!from.strata_file.empty()) {
    fact("Strata", from.strata_file);
    fact("Strata SHA-256", from.strata_sha256);
  }
  const Spacing& spacing = from.lengths.spacing;
  fact("Pixel spacing",
       concat(from.spacing_file.empty() ? concat(spacing.x, " x ", spacing.y,
                                                 spacing.z != 1 ? concat(" x ", spacing.z) : "")
                                        : concat("by case, ", from.spacing_file),
              " (lengths in ", length_unit(from), "); NSD within ", tolerance_text(from)));
  const Summary& summary = report.evaluation.summary;
  fact("Bootstrap draws", drawn_text(summary.groups));
  if (summary.over_groups) fact("Means are over", "groups of cases, each by its own mean");
  fact("Seed of the bootstrap", std::to_string(summary.seed));
  return concat(html_heading("What made this report", "provenance"), "<pre>",
                html_escape(from.command), "</pre>\n", html_facts(facts));
}

std::string distribution(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  Histogram histogram;
  for (const CaseScores& scores : evaluation.cases) {
    if (scores.dice()) histogram.values.push_back(*scores.dice());
  }
  const auto& guess = evaluation.guess;
  histogram.median = evaluation.summary.class_mean[0].median;
  histogram.reference = guess ? guess->like().mean : std::nullopt;
  histogram.reference_name = "constant guess";
  std::string out =
      concat(html_heading("Distribution of Dice", "distribution"), "<div class=\"pair\">\n<figure>",
             histogram_svg(histogram), "<figcaption>Cases by their mean Dice over classes.",
             histogram.median ? " Solid line: median of the cases." : "",
             histogram.reference ? " Dashed line: mean Dice of the best constant guess." : "",
             "</figcaption></figure>\n");
  constexpr std::size_t most_classes = 12;
  const std::size_t classes = evaluation.summary.classes.size();
  for (std::size_t c = 0; classes > 1 && c < std::min(classes, most_classes); ++c) {
    const std::string& name = report.classes.at(c + 1).name;
    Histogram own;
    own.id = concat("dice-", c + 1);
    own.name = concat("Dice of ", name);
    for (const CaseScores& scores : evaluation.cases) {
      if (scores.classes[c].dice) own.values.push_back(*scores.classes[c].dice);
    }
    own.median = evaluation.summary.classes[c].metrics[0].median;
    out += concat("<figure>", histogram_svg(own), "<figcaption>", html_escape(name),
                  ": cases where it is in the truth or predicted.</figcaption></figure>\n");
  }
  return out + "</div>\n";
}

std::string calibration(const Report& report) {
  const auto& own = report.evaluation.calibration;
  if (!own) return {};
  const auto figure = [](const Reliability& reliability, const std::string& id,
                         const std::string& what) {
    return concat("<figure>", reliability_svg(reliability, id, what), "<figcaption>",
                  html_escape(what), ": expected calibration error ",
                  number(reliability.expected_error(), 4), ".</figcaption></figure>\n");
  };
  std::string sentences;
  for (const std::string& one : temperature_sentences(report)) {
    sentences += concat("<p>", html_escape(one), "</p>\n");
  }
  return concat(html_heading("Calibration", "calibration"), sentences,
                "<p>Blue: how often the predicted class is right, by the probability the model "
                "gives it. On the dashed line the two agree. Gray: how the pixels spread over the "
                "bins.</p>\n<div class=\"pair\">\n",
                figure(own->all, "reliability-all", "All pixels"),
                figure(own->foreground, "reliability-foreground",
                       "Pixels where truth or prediction is foreground"),
                "</div>\n");
}

}  // namespace

std::string report_html(const Report& report) {
  const Provenance& from = report.provenance;
  std::vector<std::pair<std::string, std::string>> contents;
  std::string body;
  const auto section = [&](const std::string& id, const std::string& name,
                           const std::string& html) {
    if (html.empty()) return;
    contents.emplace_back(id, name);
    body += html;
  };
  section("distribution", "Distribution", distribution(report));
  section("metrics", "Metrics", html_heading("Metrics", "metrics") + metrics_table(report));
  section("profiles", "Other rules", profiles_table(report));
  section("more", "More figures", more_figures_html(report));
  if (!report.examples.empty()) {
    section("examples", "Examples",
            html_heading("Best, median and worst case", "examples") + pictures(report.examples));
  }
  section("failures", "Missed and hallucinated", failures(report));
  section("calibration", "Calibration", calibration(report));
  if (const auto& training = report.training) {
    section("training", "Training",
            html_heading("Training", "training") +
                html_picture(training->svg, "image/svg+xml", training->alt,
                             "Loss and validation Dice by epoch, from the run folder."));
  }
  section("how", "How it was computed",
          html_heading("How each figure was computed", "how") + how_computed);
  section("provenance", "What made it", provenance(report));
  section("cases", "All cases", cases_table(report));
  return html_page(concat("Evaluation of ", from.subject),
                   concat(report.evaluation.summary.cases, " cases of the part “", from.part,
                          "”, profile “", profiles[0].name, "”"),
                   notes(report) + figures(report) + html_contents(contents) + body);
}

}  // namespace medurwkv::judge
