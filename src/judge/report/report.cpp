#include "judge/report/report.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/model_description.h"
#include "core/table.h"
#include "core/text.h"
#include "core/version.h"
#include "judge/report/text_table.h"

namespace medurwkv::judge {

namespace {

using Json = nlohmann::json;

Json to_json(const std::array<Statistic, metric_count>& statistics) {
  Json out;
  for (std::size_t m = 0; m < metric_count; ++m) {
    out[metrics[m].key] = judge::to_json(statistics[m]);
  }
  return out;
}

Json classes_json(const Report& report) {
  Json out = Json::array();
  for (const ClassSummary& summary : report.evaluation.summary.classes) {
    out.push_back({{"label", summary.label},
                   {"name", report.classes.at(summary.label).name},
                   {"in_truth", summary.in_truth},
                   {"missed", summary.missed},
                   {"hallucinated", summary.hallucinated},
                   {"both_empty", summary.both_empty},
                   {"metrics", to_json(summary.metrics)}});
  }
  return out;
}

/// The set's classes, background first, as cases.csv numbers them.
Json set_classes_json(const std::vector<ClassInfo>& classes) {
  Json out = Json::array();
  for (const ClassInfo& one : classes) out.push_back({{"name", one.name}, {"color", one.color}});
  return out;
}

Json guess_json(const std::optional<ConstantGuess>& guess) {
  if (!guess) return {};
  return {{"semi_axis_x", guess->ellipse.semi_axis_x},
          {"semi_axis_y", guess->ellipse.semi_axis_y},
          {"fitted_on", guess->fitted_on},
          {"dice", judge::to_json(guess->summary)}};
}

Json models_json(const std::vector<ModelDescription>& models) {
  Json out = Json::array();
  for (const ModelDescription& model : models) {
    out.push_back({{"file", model.file},
                   {"content_sha256", model.content_sha256},
                   {"network", model.network},
                   {"temperature", model.temperature ? Json(*model.temperature) : Json()},
                   {"split_sha256", text_or_null(model.split_sha256)}});
  }
  return out;
}

Json masks_json(const std::optional<JudgedMasks>& masks) {
  if (!masks) return {};
  return {{"folder", masks->folder},
          {"encoding", masks->encoding},
          {"sha256", masks->sha256},
          {"missing", masks->missing}};
}

Json spacing_json(const Provenance& from) {
  if (!from.spacing_file.empty()) return {};
  return Json::array({from.lengths.spacing.x, from.lengths.spacing.y});
}

Json spacing_file_json(const Provenance& from) {
  if (from.spacing_file.empty()) return {};
  return {{"file", from.spacing_file}, {"sha256", from.spacing_sha256}};
}

Json tolerance_json(const Provenance& from) {
  if (!from.spacing_file.empty() && !from.lengths.tolerance) return {};
  return from.lengths.nsd_tolerance();
}

Json profiles_json(const Report& report) {
  Json out = Json::array();
  for (const ProfileTable& table : report.evaluation.profiles) {
    Json means;
    Json used;
    Json by_class = Json::array();
    for (const std::string& metric : table.metrics) {
      means[metric] = or_null(table.mean(metric));
      used[metric] = table.used(metric);
    }
    for (std::size_t c = 0; c < table.values.size(); ++c) {
      Json own;
      for (const std::string& metric : table.metrics) own[metric] = or_null(table.mean(metric, c));
      by_class.push_back(
          {{"label", c + 1}, {"name", report.classes.at(c + 1).name}, {"means", own}});
    }
    out.push_back({{"profile", table.profile},
                   {"unit", table.unit},
                   {"units", table.units.size()},
                   {"means", means},
                   {"used", used},
                   {"classes", by_class}});
  }
  return out;
}

Json to_json(const Reliability& reliability) {
  Json bins = Json::array();
  for (const CalibrationBin& bin : reliability.bins) {
    const auto pixels = static_cast<double>(bin.pixels);
    const bool empty = bin.pixels == 0;
    bins.push_back({{"pixels", bin.pixels},
                    {"confidence", empty ? Json() : Json(bin.confidence / pixels)},
                    {"accuracy", empty ? Json() : Json(static_cast<double>(bin.right) / pixels)}});
  }
  return {{"ece", or_null(reliability.expected_error())},
          {"pixels", reliability.pixels()},
          {"bins", bins}};
}

Json to_json(const Calibration& calibration) {
  return {{"all", to_json(calibration.all)}, {"foreground", to_json(calibration.foreground)}};
}

double temperature_of(const Report& report) {
  std::vector<std::optional<double>> temperatures;
  for (const ModelDescription& model : report.provenance.models) {
    temperatures.push_back(model.temperature);
  }
  return common_temperature(temperatures);
}

Json calibration_json(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (!evaluation.calibration) return {};
  Json out = to_json(*evaluation.calibration);
  out["temperature"] = temperature_of(report);
  out["before"] = evaluation.uncalibrated ? to_json(*evaluation.uncalibrated) : Json();
  return out;
}

std::string text_row(const std::string& name, const Statistic& statistic, int digits) {
  const auto number = [&](const std::optional<double>& value) {
    return padded(number_or_dash(value, digits), 11, true);
  };
  const auto& interval = statistic.interval;
  const std::string range =
      interval ? concat(fixed(interval->low, digits), " to ", fixed(interval->high, digits)) : "-";
  return concat("  ", padded(name, 18, false), number(statistic.mean), "  ",
                padded(range, 19, false), number(statistic.deviation), number(statistic.median),
                "   ", statistic.used, " of ", statistic.of, "\n");
}

std::string text_rows(const std::array<Statistic, metric_count>& statistics,
                      const std::string& unit) {
  std::string out;
  for (std::size_t m = 0; m < metric_count; ++m) {
    const bool is_length = metrics[m].kind == MetricKind::length;
    const std::string name =
        is_length && unit == "px" ? concat(metrics[m].name, " (px)") : metrics[m].name;
    out += text_row(name, statistics[m], is_length ? 2 : 4);
  }
  return out;
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

}  // namespace

std::optional<bool> same_split(const Provenance& provenance) {
  bool same = true;
  for (const ModelDescription& model : provenance.models) {
    if (model.split_sha256.empty()) return std::nullopt;
    same = same && model.split_sha256 == provenance.split_sha256;
  }
  if (provenance.models.empty() || provenance.split_sha256.empty()) return std::nullopt;
  return same;
}

std::vector<std::string> provenance_remarks(const Provenance& provenance) {
  std::vector<std::string> out;
  if (provenance.models.empty()) return out;
  if (same_split(provenance) == false) {
    out.emplace_back(
        "The model was trained on another split file than the one judged here. Cases of this part "
        "may have been in its training, and then the figures are too good.");
  }
  if (provenance.split_file.empty()) {
    out.emplace_back(
        "Judged without a split, so the cases may include training cases. If they do, the figures "
        "do not tell how the model does on new images.");
  } else if (provenance.part == "train" || provenance.part == "all") {
    out.emplace_back(
        "The judged part holds the cases the model was trained on. These figures do not tell how "
        "the model does on new images.");
  }
  return out;
}

std::vector<std::string> remarks(const Report& report) {
  std::vector<std::string> out = provenance_remarks(report.provenance);
  const auto& masks = report.provenance.masks;
  if (masks && masks->missing > 0) {
    out.push_back(
        concat(masks->missing, " cases have no predicted mask; they count as empty predictions."));
  }
  const auto& guess = report.evaluation.guess;
  const auto& merged = report.evaluation.summary.merged_dice.mean;
  if (guess && guess->summary.mean && merged && *merged <= *guess->summary.mean) {
    out.emplace_back("The model is no better than one ellipse that never looks at the image.");
  }
  return out;
}

std::string guess_text(const Report& report) {
  const auto& guess = report.evaluation.guess;
  if (!guess) return "no training masks with foreground";
  const bool several = report.evaluation.summary.classes.size() > 1;
  return concat("mean Dice", several ? " of all classes merged" : "", ", ", guess->summary.used,
                " of ", guess->summary.of, " cases");
}

std::string length_unit(const Provenance& provenance) {
  return provenance.spacing_file.empty() && provenance.lengths.spacing == Spacing{}
             ? "px"
             : "spacing units";
}

std::vector<std::string> temperature_sentences(const Report& report) {
  const Evaluation& evaluation = report.evaluation;
  if (!evaluation.calibration || !evaluation.uncalibrated) return {};
  const auto& before = *evaluation.uncalibrated;
  const auto& after = *evaluation.calibration;
  const auto change = [](const Reliability& was, const Reliability& now) {
    return concat("from ", number_or_dash(was.expected_error(), 4), " to ",
                  number_or_dash(now.expected_error(), 4));
  };
  std::vector<std::string> out{
      concat("The temperature ", fixed(temperature_of(report), 3), " takes the calibration error ",
             change(before.all, after.all),
             " (foreground: ", change(before.foreground, after.foreground), ").")};
  const auto rises = [](const Reliability& was, const Reliability& now) {
    return now.expected_error() > was.expected_error();
  };
  std::vector<std::string> where;
  if (rises(before.all, after.all)) where.emplace_back("over all pixels");
  if (rises(before.foreground, after.foreground)) where.emplace_back("over foreground pixels");
  if (!where.empty()) {
    out.push_back(
        concat("It rises ", join(where, " and "),
               ": by this figure the probabilities were better without the temperature."));
  }
  return out;
}

std::string tolerance_text(const Provenance& provenance) {
  const bool differs = !provenance.spacing_file.empty() && !provenance.lengths.tolerance;
  return differs ? "2 pixels" : concat(provenance.lengths.nsd_tolerance());
}

std::vector<FailedCase> failed_cases(const Evaluation& evaluation) {
  std::vector<FailedCase> out;
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    for (const ClassScores& own : evaluation.cases[i].classes) {
      if (own.in_truth() == own.in_prediction()) continue;
      out.push_back({i, own.label, own.in_truth()});
    }
  }
  return out;
}

std::string report_text(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  const std::string unit = length_unit(report.provenance);
  std::string out = concat(
      "profile default, part ", report.provenance.part, ", ", summary.cases, " cases",
      summary.over_groups ? concat(", means over ", summary.groups, " groups") : "",
      ", lengths in ", unit, ", NSD within ", tolerance_text(report.provenance), "\n\n  ",
      padded("", 18, false), padded("mean", 11, true), "  ", padded("95 % interval", 19, false),
      padded("deviation", 11, true), padded("median", 11, true), "   used\n");
  for (const ClassSummary& own : summary.classes) {
    out += concat(report.classes.at(own.label).name, " (", own.in_truth, " cases have it, ",
                  own.missed, " missed, ", own.hallucinated, " hallucinated)\n",
                  text_rows(own.metrics, unit));
  }
  if (summary.classes.size() > 1) {
    out += concat("mean over classes\n", text_rows(summary.class_mean, unit),
                  "all classes merged\n", text_row("Dice", summary.merged_dice, 4));
  }
  out += profiles_text(report);
  out += concat("\nmean Dice             ", number_or_dash(summary.class_mean[0].mean, 4));
  if (const auto& interval = summary.class_mean[0].interval) {
    out += concat("  (95 % interval ", fixed(interval->low, 4), " to ", fixed(interval->high, 4),
                  ", bootstrap over ", drawn_text(summary.groups), ")");
  }
  const auto& guess = report.evaluation.guess;
  out += concat("\nbest constant guess   ",
                number_or_dash(guess ? guess->summary.mean : std::nullopt, 4));
  out += concat("  (", guess_text(report));
  if (guess) out += concat("; one ellipse, fitted on ", guess->fitted_on, " training masks");
  out += concat(")\n", calibration_text(report));
  for (const std::string& remark : remarks(report)) out += concat("\n", remark, "\n");
  return out;
}

std::string profiles_text(const Report& report) {
  const auto& tables = report.evaluation.profiles;
  if (tables.empty() || (tables.size() == 1 && tables[0].profile == profiles[0].name)) return {};
  std::string out = concat("\nprofiles (means; docs/metrics.md)\n  ", padded("", 11, false));
  for (const ProfileColumn& column : profile_columns) {
    out += padded(column.key == std::string("threshold_jaccard") ? "thr. Jacc." : column.name, 12,
                  true);
  }
  out += "   over\n";
  for (const ProfileTable& table : tables) {
    out += concat("  ", padded(table.profile, 11, false));
    for (const ProfileColumn& column : profile_columns) {
      out += padded(number_or_dash(table.mean(column.key), column.is_length ? 2 : 4), 12, true);
    }
    out += concat("   ", table.unit_count(), "; Dice ", table.used("dice"), " of ",
                  table.units.size(), "\n");
  }
  return out;
}

std::string cases_csv(const Report& report) {
  std::string out =
      "case,width,height,label,class,true_positive,false_positive,false_negative,true_negative";
  for (const MetricInfo& metric : metrics) out += concat(",", metric.key);
  out += ",constant_guess_dice,group\r\n";
  const Evaluation& evaluation = report.evaluation;
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    const CaseScores& scores = evaluation.cases[i];
    for (const ClassScores& own : scores.classes) {
      out += concat(csv_field(scores.id), ",", scores.size.width, ",", scores.size.height, ",",
                    int{own.label}, ",", csv_field(report.classes.at(own.label).name), ",",
                    own.true_positive, ",", own.false_positive, ",", own.false_negative, ",",
                    own.true_negative);
      for (const MetricInfo& metric : metrics) out += concat(",", exact(own.*metric.value));
      out += concat(",", evaluation.guess ? exact(evaluation.guess->dice.at(i)) : "", ",",
                    csv_field(scores.group), "\r\n");
    }
  }
  return out;
}

std::string profiles_csv(const Report& report) {
  std::string out = "profile,unit,name,weight,label,class,metric,value\r\n";
  for (const ProfileTable& table : report.evaluation.profiles) {
    for (std::size_t u = 0; u < table.units.size(); ++u) {
      for (std::size_t c = 0; c < table.values.size(); ++c) {
        const std::string start =
            concat(table.profile, ",", table.unit, ",", csv_field(table.units[u]), ",",
                   table.weights[u], ",", c + 1, ",", csv_field(report.classes.at(c + 1).name));
        for (std::size_t m = 0; m < table.metrics.size(); ++m) {
          out += concat(start, ",", table.metrics[m], ",", exact(table.values[c][m][u]), "\r\n");
        }
      }
    }
  }
  return out;
}

Json summary_json(const Report& report) {
  const Provenance& from = report.provenance;
  const Summary& summary = report.evaluation.summary;
  const auto& guess = report.evaluation.guess;
  const auto same = same_split(from);
  const Json models = models_json(from.models);
  return {
      {"format", 1},
      {"program", "medurwkv"},
      {"version", version},
      {"subject", from.subject},
      {"profile", profiles[0].name},
      {"part", from.part},
      {"command", from.command},
      {"seed", summary.seed},
      {"model", models.size() == 1 ? models[0] : Json()},
      {"ensemble", models.size() > 1 ? models : Json()},
      {"predictions", masks_json(from.masks)},
      {"data",
       {{"root", from.data_root},
        {"sha256", from.data_sha256},
        {"mask_encoding", from.mask_encoding},
        {"classes", set_classes_json(report.classes)}}},
      {"split",
       {{"file", text_or_null(from.split_file)},
        {"sha256", text_or_null(from.split_sha256)},
        {"same_as_training", same ? Json(*same) : Json()}}},
      {"spacing", spacing_json(from)},
      {"spacing_file", spacing_file_json(from)},
      {"tolerance", tolerance_json(from)},
      {"unit", length_unit(from)},
      {"cases", summary.cases},
      {"groups", summary.groups > 0 ? Json(summary.groups) : Json()},
      {"means_over", summary.over_groups ? "groups" : "cases"},
      {"mean_dice", or_null(summary.class_mean[0].mean)},
      {"mean_dice_interval", judge::to_json(summary.class_mean[0].interval)},
      {"constant_guess", guess ? or_null(guess->summary.mean) : Json()},
      {"constant_guess_details", guess_json(guess)},
      {"merged_dice", judge::to_json(summary.merged_dice)},
      {"class_mean", to_json(summary.class_mean)},
      {"classes", classes_json(report)},
      {"profiles", profiles_json(report)},
      {"calibration", calibration_json(report)},
  };
}

std::vector<std::string> report_files() {
  return {"cases.csv", "profiles.csv", "summary.json", "report.html"};
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_report(const Report& report, const OutputPath& folder) {
  make_folder(folder);
  write_file(folder / "cases.csv", cases_csv(report));
  write_file(folder / "profiles.csv", profiles_csv(report));
  write_file(folder / "summary.json", json_text(summary_json(report)));
  write_file(folder / "report.html", report_html(report));
}

}  // namespace medurwkv::judge
