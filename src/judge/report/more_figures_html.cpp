// The report's folded sections.
#include <algorithm>

#include "core/markup.h"
#include "core/text.h"
#include "judge/report/cells.h"
#include "judge/report/page.h"

namespace medurwkv::judge {

namespace {

const std::vector<std::string> statistic_heads{
    "Metric", "Mean", "95 % interval", "Standard deviation", "Median", "Used"};

std::string more_metrics_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (evaluation.metrics.size() == metric_count) return {};
  HtmlTable table("More metrics", "Over cases; docs/metrics.md defines each.", statistic_heads);
  const auto rows = [&](const std::string& of, const std::vector<Statistic>& statistics) {
    table.group(of);
    for (std::size_t m = metric_count; m < evaluation.metrics.size(); ++m) {
      const Metric& own = evaluation.metrics[m];
      table.row(statistic_cells(metric_heading(own, report), statistics.at(m), digits_of(own)));
    }
  };
  for (const ClassSummary& own : evaluation.summary.classes) {
    rows(report.classes.at(own.label).name, own.metrics);
  }
  if (evaluation.summary.classes.size() > 1)
    rows("Mean over classes", evaluation.summary.class_mean);
  return html_folded("Metrics asked for", table.html());
}

std::string objects_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (evaluation.objects.empty()) return {};
  HtmlTable pooled(
      "Objects",
      concat("Objects of all cases together; found: IoU above 0.5. In the truth objects are ",
             evaluation.true_objects_told ? "those that its masks tell apart"
                                          : "the connected parts of a class",
             ", in the prediction ",
             evaluation.predicted_objects_told ? "those that its masks tell apart."
                                               : "the connected parts of a class."),
      {"Class", "In the truth", "Predicted", "Found", "Precision", "Recall", "F1 (DQ)", "F1 swept",
       "SQ", "PQ"});
  HtmlTable sizes("Objects by size",
                  "Objects of the truth, a third each by their pixels. Touched: shares a pixel "
                  "with a predicted object.",
                  {"Class", "Pixels", "Objects", "Found", "Share found", "Touched"});
  bool any = false;
  for (std::size_t c = 0; c < evaluation.objects.size(); ++c) {
    const ObjectCounts& own = evaluation.objects[c];
    const std::string& name = report.classes.at(c + 1).name;
    pooled.row({name, with_thousands(own.in_truth), with_thousands(own.predicted),
                with_thousands(own.found[0]), number(own.precision(), 3), number(own.recall(), 3),
                number(own.f1(), 3), number(own.f1_swept(), 3),
                number(own.segmentation_quality(), 3), number(own.panoptic_quality(), 3)});
    for (const ObjectSizeGroup& group : object_size_groups(own)) {
      any = true;
      sizes.row({name, concat(with_thousands(group.least), " to ", with_thousands(group.most)),
                 with_thousands(group.objects), with_thousands(group.found),
                 number(ratio(group.found, group.objects), 3), with_thousands(group.touched)});
    }
  }
  return html_folded("Single objects", pooled.html() + (any ? sizes.html() : ""));
}

std::string images_table(const Report& report) {
  const auto levels = image_levels(report.evaluation.cases);
  const bool telling = std::any_of(levels.begin(), levels.end(), [](const ImageLevel& own) {
    return own.with() > 0 && own.without() > 0;
  });
  if (!telling) return {};
  HtmlTable table("Images with and without",
                  "Whole images: found where any pixel of the class is predicted. Intervals are "
                  "Wilson’s, of independent images.",
                  {"Class", "Have it", "Found", "Sensitivity", "95 % interval", "Lack it",
                   "Not predicted", "Specificity", "95 % interval"});
  for (const ImageLevel& own : levels) {
    table.row(
        {level_name(report, own), std::to_string(own.with()), std::to_string(own.found),
         number(own.sensitivity(), 3), interval_cell(wilson_interval(own.found, own.with()), 3),
         std::to_string(own.without()), std::to_string(own.clean), number(own.specificity(), 3),
         interval_cell(wilson_interval(own.clean, own.without()), 3)});
  }
  return html_folded("Healthy against diseased, by image", table.html());
}

std::string confusion_table(const Report& report) {
  const Confusion& confusion = report.evaluation.confusion;
  constexpr std::size_t most = 30;
  if (confusion.size() < 3 || confusion.size() > most) return {};
  std::vector<std::string> heads{"Truth"};
  for (const ClassInfo& own : report.classes) heads.push_back(own.name);
  HtmlTable table("Classes by class",
                  "Of the pixels of each true class (rows) the share predicted as each class; "
                  "numbers of pixels are in summary.json.",
                  heads);
  for (std::size_t t = 0; t < confusion.size(); ++t) {
    std::int64_t whole = 0;
    for (const std::int64_t pixels : confusion[t]) whole += pixels;
    std::vector<std::string> cells{report.classes.at(t).name};
    for (const std::int64_t pixels : confusion[t]) cells.push_back(number(ratio(pixels, whole), 4));
    table.row(cells);
  }
  return html_folded("Which class was taken for which", table.html());
}

/// Columns of metrics where there is room for few.
std::vector<std::size_t> short_list(const Evaluation& evaluation) {
  std::vector<std::size_t> out;
  for (std::size_t m = 0; m < evaluation.metrics.size(); ++m) {
    const std::string& key = evaluation.metrics[m].key;
    if (m >= metric_count || key == "dice" || key == "iou" || key == "hd95" || key == "nsd") {
      out.push_back(m);
    }
  }
  return out;
}

std::vector<std::string> short_heads(std::vector<std::string> first, const Report& report) {
  for (const std::size_t m : short_list(report.evaluation)) {
    first.push_back(metric_heading(report.evaluation.metrics[m], report));
    if (m == 0) first.emplace_back("95 % interval");
  }
  return first;
}

void short_row(HtmlTable& table, std::vector<std::string> cells,
               const std::vector<Statistic>& statistics, const Report& report) {
  for (const std::size_t m : short_list(report.evaluation)) {
    const int digits = digits_of(report.evaluation.metrics[m]);
    cells.push_back(number(statistics.at(m).mean, digits));
    if (m == 0) cells.push_back(interval_cell(statistics[0].interval, digits));
  }
  table.row(cells);
}

std::string strata_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  const auto strata = strata_of(evaluation.cases, evaluation.strata, evaluation.summary.seed);
  if (strata.empty()) return {};
  HtmlTable table("Strata", "Means over classes and the cases of a kind.",
                  short_heads({"Kind", "Cases"}, report));
  std::string by;
  for (const Stratum& own : strata) {
    if (own.by != by) table.group(concat("By ", own.by));
    by = own.by;
    short_row(table, {own.name.empty() ? "(empty)" : own.name, std::to_string(own.cases)},
              own.class_mean, report);
  }
  return html_folded("By kind of case", table.html());
}

std::string sizes_table(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  const auto groups = size_groups(evaluation.cases, evaluation.summary.seed);
  if (groups.empty()) return {};
  HtmlTable table("Sizes",
                  "Cases that have the class, a third each by the share of the image it covers.",
                  short_heads({"Share of the image", "Cases"}, report));
  std::uint8_t label = 0;
  for (const SizeGroup& own : groups) {
    if (own.label != label) table.group(report.classes.at(own.label).name);
    label = own.label;
    short_row(table,
              {concat(fixed(100 * own.least, 2), " to ", fixed(100 * own.most, 2), " %"),
               std::to_string(own.cases)},
              own.metrics, report);
  }
  return html_folded("By size of what is to be found", table.html());
}

std::string volumes_table(const Report& report) {
  const auto& tables = report.evaluation.profiles;
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [](const ProfileTable& own) { return own.profile == "volumes"; });
  if (found == tables.end() || found->units.empty()) return {};
  const std::vector<Metric> known = default_metrics();
  HtmlTable table("Whole volumes",
                  "Over volumes, by the rules of the profile default in three dimensions. "
                  "Intervals draw groups (patients) where volumes share one.",
                  statistic_heads);
  const auto rows = [&](const std::string& of, const auto& values_of) {
    table.group(of);
    for (std::size_t m = 0; m < found->metrics.size(); ++m) {
      const auto metric = std::find_if(known.begin(), known.end(), [&](const Metric& own) {
        return own.key == found->metrics[m];
      });
      const std::vector<std::optional<double>> values = values_of(m);
      Statistic own = statistic(values);
      own.interval = bootstrap_interval(values, groups_of(found->groups), bootstrap_resamples,
                                        report.evaluation.summary.seed);
      table.row(statistic_cells(metric_heading(*metric, report), own, digits_of(*metric)));
    }
  };
  for (std::size_t c = 0; c < found->values.size(); ++c) {
    rows(report.classes.at(c + 1).name, [&](std::size_t m) { return found->values[c][m]; });
  }
  if (found->values.size() > 1) {
    rows("Mean over classes", [&](std::size_t m) { return found->unit_means(found->metrics[m]); });
  }
  return html_folded(concat("Whole volumes: ", found->unit_count()), table.html());
}

}  // namespace

std::string number(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "–";
}

int digits_of(const Metric& metric) {
  return metric.kind == MetricKind::length ? 2 : 3;
}

std::string metric_heading(const Metric& metric, const Report& report) {
  return metric.kind == MetricKind::length
             ? concat(metric.name, " (", length_unit(report.provenance), ")")
             : metric.name;
}

std::string interval_cell(const std::optional<Interval>& interval, int digits) {
  return interval ? concat(fixed(interval->low, digits), " to ", fixed(interval->high, digits))
                  : "–";
}

std::vector<std::string> statistic_cells(const std::string& name, const Statistic& statistic,
                                         int digits) {
  return {name,
          number(statistic.mean, digits),
          interval_cell(statistic.interval, digits),
          number(statistic.deviation, digits),
          number(statistic.median, digits),
          concat(statistic.used, " of ", statistic.of)};
}

std::string more_figures_html(const Report& report) {
  const std::string out = more_metrics_table(report) + objects_table(report) +
                          volumes_table(report) + images_table(report) + confusion_table(report) +
                          strata_table(report) + sizes_table(report);
  return out.empty() ? out : html_heading("More figures", "more") + out;
}

}  // namespace medurwkv::judge
