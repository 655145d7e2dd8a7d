// The evaluation as a table for the terminal.
#include "core/text.h"
#include "judge/report/report.h"
#include "judge/report/text_table.h"

namespace medurwkv::judge {

namespace {

std::string text_row(const std::string& name, const Statistic& statistic, int digits) {
  const auto number = [&](const std::optional<double>& value) {
    return padded(number_or_dash(value, digits), 11, true);
  };
  const auto& interval = statistic.interval;
  const std::string range =
      interval ? concat(fixed(interval->low, digits), " to ", fixed(interval->high, digits)) : "-";
  return concat("  ", padded(name, 22, false), number(statistic.mean), "  ",
                padded(range, 19, false), number(statistic.deviation), number(statistic.median),
                "   ", statistic.used, " of ", statistic.of, "\n");
}

std::string text_rows(const std::vector<Metric>& metrics, const std::vector<Statistic>& statistics,
                      const std::string& unit) {
  std::string out;
  for (std::size_t m = 0; m < statistics.size(); ++m) {
    const Metric& own = metrics.at(m);
    const bool is_length = own.kind == MetricKind::length;
    const std::string name =
        is_length && unit != "spacing units" ? concat(own.name, " (", unit, ")") : own.name;
    out += text_row(name, statistics[m], is_length ? 2 : 4);
  }
  return out;
}

std::string images_text(const Report& report) {
  std::string out;
  for (const ImageLevel& own : image_levels(report.evaluation.cases)) {
    if (own.with() == 0 || own.without() == 0) continue;
    out += concat("  ", padded(level_name(report, own), 18, false), " found in ", own.found, " of ",
                  own.with(), " images that have it (", number_or_dash(own.sensitivity(), 3),
                  "), not predicted in ", own.clean, " of ", own.without(), " that do not (",
                  number_or_dash(own.specificity(), 3), ")\n");
  }
  return out.empty() ? out : concat("\nimages with and without\n", out);
}

std::string objects_text(const Report& report) {
  std::string out;
  for (std::size_t c = 0; c < report.evaluation.objects.size(); ++c) {
    const ObjectCounts& own = report.evaluation.objects[c];
    out +=
        concat("  ", padded(report.classes.at(c + 1).name, 18, false), " ", own.found[0], " of ",
               own.in_truth, " found by ", own.predicted, " predicted: F1 ",
               number_or_dash(own.f1(), 3), ", SQ ", number_or_dash(own.segmentation_quality(), 3),
               ", PQ ", number_or_dash(own.panoptic_quality(), 3), "\n");
  }
  return out.empty() ? out : concat("\nobjects of all cases together, IoU above 0.5\n", out);
}

std::string calibration_text(const Report& report) {
  const auto& calibration = report.evaluation.calibration;
  if (!calibration) return {};
  std::string out =
      concat("calibration error     ", number_or_dash(calibration->all.expected_error(), 4),
             "  (all pixels; where truth ", "or prediction is foreground ",
             number_or_dash(calibration->foreground.expected_error(), 4), ")\n");
  const std::vector<std::string> sentences = temperature_sentences(report);
  return sentences.empty() ? out : concat(out, join(sentences, " "), "\n");
}

/// What cases without a mask count as, where they may lack one.
std::string missing_text(const Provenance& provenance) {
  const auto& masks = provenance.masks;
  if (!masks || !masks->may_miss) return {};
  return concat(", cases without a mask count as empty (", masks->missing, " lack one)");
}

}  // namespace

std::string report_text(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  const std::string unit = length_unit(report.provenance);
  std::string out =
      concat("profile default, part ", report.provenance.part, ", ", summary.cases, " cases",
             summary.over_groups ? concat(", means over ", summary.groups, " groups") : "",
             ", lengths in ", unit, ", NSD within ", tolerance_text(report.provenance),
             missing_text(report.provenance), "\n\n  ", padded("", 18, false),
             padded("mean", 11, true), "  ", padded("95 % interval", 19, false),
             padded("deviation", 11, true), padded("median", 11, true), "   used\n");
  for (const ClassSummary& own : summary.classes) {
    out += concat(report.classes.at(own.label).name, " (", own.in_truth, " cases have it, ",
                  own.missed, " missed, ", own.hallucinated, " hallucinated)\n",
                  text_rows(report.evaluation.metrics, own.metrics, unit));
  }
  if (summary.classes.size() > 1) {
    out += concat("mean over classes\n",
                  text_rows(report.evaluation.metrics, summary.class_mean, unit),
                  "all classes merged\n", text_row("Dice", summary.merged_dice, 4));
  }
  out += images_text(report) + objects_text(report) + profiles_text(report);
  out += concat("\nmean Dice             ", number_or_dash(summary.class_mean[0].mean, 4));
  if (const auto& interval = summary.class_mean[0].interval) {
    out += concat("  (95 % interval ", fixed(interval->low, 4), " to ", fixed(interval->high, 4),
                  ", bootstrap over ", drawn_text(summary.groups), ")");
  }
  const auto& guess = report.evaluation.guess;
  out += concat("\nbest constant guess   ",
                number_or_dash(guess ? guess->like().mean : std::nullopt, 4));
  out += concat("  (", guess_text(report));
  if (guess) {
    out += concat(guess->classes.empty() ? "; one ellipse" : "; an ellipse for each class",
                  ", fitted on ", guess->fitted_on, " training masks");
  }
  out += concat(")\n", calibration_text(report));
  for (const std::string& remark : remarks(report)) out += concat("\n", remark, "\n");
  return out;
}

std::string profiles_text(const Report& report) {
  const auto& tables = report.evaluation.profiles;
  if (tables.empty() || (tables.size() == 1 && tables[0].profile == profiles[0].name)) return {};
  constexpr std::size_t width = 15;
  std::string out = concat("\nprofiles (means, in brackets over how many; docs/metrics.md)\n  ",
                           padded("", 11, false));
  for (const ProfileColumn& column : profile_columns) {
    out += padded(column.key == std::string("threshold_jaccard") ? "thr. Jacc." : column.name,
                  width, true);
  }
  out += "   of\n";
  for (const ProfileTable& table : tables) {
    out += concat("  ", padded(table.profile, 11, false));
    for (const ProfileColumn& column : profile_columns) {
      const std::string cell = profile_cell(table, column, column.is_length ? 2 : 4);
      out += padded(cell.empty() ? "-" : cell, width, true);
    }
    out += concat("   ", table.unit_count(), "\n");
  }
  return out;
}

}  // namespace medurwkv::judge
