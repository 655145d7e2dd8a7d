#include "judge/report.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/version.h"

namespace medurwkv::judge {

namespace {

using Json = nlohmann::json;

// The shortest digits that read back as the same number, whatever the locale.
std::string exact(const std::optional<double>& value) {
  if (!value) return {};
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *value).ptr;
  return {buffer.data(), end};
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

Json or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json to_json(const Statistic& statistic) {
  return {{"mean", or_null(statistic.mean)},
          {"deviation", or_null(statistic.deviation)},
          {"median", or_null(statistic.median)},
          {"used", statistic.used},
          {"of", statistic.of}};
}

Json to_json(const std::array<Statistic, metric_count>& statistics) {
  Json out;
  for (std::size_t m = 0; m < metric_count; ++m) out[metrics[m].key] = to_json(statistics[m]);
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

Json guess_json(const std::optional<ConstantGuess>& guess) {
  if (!guess) return {};
  return {{"semi_axis_x", guess->ellipse.semi_axis_x},
          {"semi_axis_y", guess->ellipse.semi_axis_y},
          {"fitted_on", guess->fitted_on},
          {"dice", to_json(guess->summary)}};
}

std::string padded(std::string text, std::size_t width, bool right) {
  if (text.size() >= width) return text;
  const std::string blanks(width - text.size(), ' ');
  return right ? blanks + text : text + blanks;
}

std::string text_row(const std::string& name, const Statistic& statistic, int digits) {
  const auto number = [&](const std::optional<double>& value) {
    return padded(value ? fixed(*value, digits) : "-", 11, true);
  };
  return concat("  ", padded(name, 14, false), number(statistic.mean), number(statistic.deviation),
                number(statistic.median), "   ", statistic.used, " of ", statistic.of, "\n");
}

std::string text_rows(const std::array<Statistic, metric_count>& statistics,
                      const std::string& unit) {
  std::string out;
  for (std::size_t m = 0; m < metric_count; ++m) {
    const bool is_length = metrics[m].is_length;
    const std::string name =
        is_length && unit == "px" ? concat(metrics[m].name, " (px)") : metrics[m].name;
    out += text_row(name, statistics[m], is_length ? 2 : 4);
  }
  return out;
}

}  // namespace

std::optional<bool> same_split(const Provenance& provenance) {
  if (provenance.model.split_sha256.empty()) return std::nullopt;
  return provenance.model.split_sha256 == provenance.split_sha256;
}

std::string length_unit(const Spacing& spacing) {
  return spacing.x == 1 && spacing.y == 1 ? "px" : "spacing units";
}

std::string report_text(const Report& report) {
  const Summary& summary = report.evaluation.summary;
  const std::string unit = length_unit(report.provenance.spacing);
  std::string out =
      concat("profile ", profile_name, ", part ", report.provenance.part, ", ", summary.cases,
             " cases, lengths in ", unit, "\n\n  ", padded("", 14, false), padded("mean", 11, true),
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
  out += concat("\nmean Dice             ",
                summary.class_mean[0].mean ? fixed(*summary.class_mean[0].mean, 4) : "-");
  if (const auto& interval = summary.dice_interval) {
    out += concat("  (95 % interval ", fixed(interval->low, 4), " to ", fixed(interval->high, 4),
                  ", bootstrap over cases)");
  }
  const auto& guess = report.evaluation.guess;
  out += concat("\nbest constant guess   ",
                guess && guess->summary.mean ? fixed(*guess->summary.mean, 4) : "-");
  if (guess) {
    out += concat("  (one ellipse, fitted on ", guess->fitted_on, " training masks; ",
                  guess->summary.used, " of ", guess->summary.of, ")");
  }
  return out + "\n";
}

std::string cases_csv(const Report& report) {
  std::string out =
      "case,width,height,label,class,true_positive,false_positive,false_negative,true_negative";
  for (const MetricInfo& metric : metrics) out += concat(",", metric.key);
  out += ",constant_guess_dice\r\n";
  const Evaluation& evaluation = report.evaluation;
  for (std::size_t i = 0; i < evaluation.cases.size(); ++i) {
    const CaseScores& scores = evaluation.cases[i];
    for (const ClassScores& own : scores.classes) {
      out += concat(csv_field(scores.id), ",", scores.size.width, ",", scores.size.height, ",",
                    int{own.label}, ",", csv_field(report.classes.at(own.label).name), ",",
                    own.true_positive, ",", own.false_positive, ",", own.false_negative, ",",
                    own.true_negative);
      for (const MetricInfo& metric : metrics) out += concat(",", exact(own.*metric.value));
      out += concat(",", evaluation.guess ? exact(evaluation.guess->dice.at(i)) : "", "\r\n");
    }
  }
  return out;
}

Json summary_json(const Report& report) {
  const Provenance& from = report.provenance;
  const Summary& summary = report.evaluation.summary;
  const auto& guess = report.evaluation.guess;
  const auto same = same_split(from);
  const auto& interval = summary.dice_interval;
  return {
      {"format", 1},
      {"program", "medurwkv"},
      {"version", version},
      {"profile", profile_name},
      {"part", from.part},
      {"command", from.command},
      {"seed", summary.seed},
      {"model",
       {{"file", from.model.file},
        {"sha256", from.model.sha256},
        {"network", from.model.network},
        {"split_sha256", text_or_null(from.model.split_sha256)}}},
      {"data", {{"root", from.data_root}, {"sha256", from.data_sha256}}},
      {"split",
       {{"file", from.split_file},
        {"sha256", from.split_sha256},
        {"same_as_training", same ? Json(*same) : Json()}}},
      {"spacing", Json::array({from.spacing.x, from.spacing.y})},
      {"unit", length_unit(from.spacing)},
      {"cases", summary.cases},
      {"mean_dice", or_null(summary.class_mean[0].mean)},
      {"mean_dice_interval", interval ? Json::array({interval->low, interval->high}) : Json()},
      {"constant_guess", guess ? or_null(guess->summary.mean) : Json()},
      {"constant_guess_details", guess_json(guess)},
      {"merged_dice", to_json(summary.merged_dice)},
      {"class_mean", to_json(summary.class_mean)},
      {"classes", classes_json(report)},
  };
}

std::vector<std::string> report_files() {
  return {"cases.csv", "summary.json", "report.html"};
}

void write_report(const Report& report, const std::filesystem::path& folder) {
  make_folder(folder);
  write_file(folder / "cases.csv", cases_csv(report));
  // File names need not be UTF-8; what is not becomes a replacement character instead of an error.
  write_file(folder / "summary.json",
             summary_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  write_file(folder / "report.html", report_html(report));
}

}  // namespace medurwkv::judge
