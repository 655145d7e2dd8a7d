// Reading an evaluation's summary.json and cases.csv, or a series of them
// (judge/report/comparison.h).
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/table.h"
#include "core/text.h"
#include "judge/more_metrics.h"
#include "judge/report/comparison.h"
#include "judge/report/text_table.h"

namespace medurwkv::judge {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;

// A whole number from 0 on.
std::int64_t pixels_of(const Table& table, const Table::Row& row, std::size_t column) {
  const double value = table.number(row, column).value_or(-1);
  constexpr double most = 1e15;
  if (value < 0 || value > most || value != std::floor(value)) {
    const std::string& text = row.fields[column];
    table.fail(row, concat("expected a number of pixels, got ",
                           text.empty() ? "nothing" : shown(text), "; evaluate again"));
  }
  return static_cast<std::int64_t>(value);
}

/// Fills metrics and cases.
void read_cases(const fs::path& file, LoadedEvaluation& out) {
  const std::size_t class_count = out.class_names.size();
  const Table table = read_table(file, most_bytes);
  const std::size_t id = table.column("case");
  const std::size_t label = table.column("label");
  const std::size_t found = table.column("true_positive");
  const std::size_t missed = table.column("false_negative");
  const std::optional<std::size_t> group = table.find({"group"});  // older evaluations lack it
  std::vector<std::size_t> columns;
  out.metrics = default_metrics();
  for (const Metric& metric : out.metrics) columns.push_back(table.column(metric.key));
  for (std::size_t c = 0; c < table.heads().size(); ++c) {
    const auto metric = metric_of_key(table.heads()[c]);
    if (!metric || std::find(columns.begin(), columns.end(), c) != columns.end()) continue;
    columns.push_back(c);
    out.metrics.push_back(*metric);
  }
  for (const Table::Row& row : table.rows()) {
    const std::string& own_id = row.fields[id];
    if (out.cases.empty() || out.cases.back().classes.size() == class_count) {
      out.cases.push_back(
          {.id = own_id, .group = group ? row.fields[*group] : std::string(), .classes = {}});
    }
    std::vector<LoadedClass>& classes = out.cases.back().classes;
    LoadedClass own;
    const auto value = table.number(row, label);
    own.label = static_cast<std::uint8_t>(classes.size() + 1);
    if (value != own.label || own_id != out.cases.back().id) {
      table.fail(row, concat("expected class ", int{own.label}, " of the case ",
                             shown(out.cases.back().id)));
    }
    own.true_pixels = pixels_of(table, row, found) + pixels_of(table, row, missed);
    own.runs.emplace_back();
    for (const std::size_t column : columns) own.runs.back().push_back(table.number(row, column));
    classes.push_back(std::move(own));
  }
  for (LoadedCase& item : out.cases) {
    if (item.classes.size() != class_count) {
      throw_failure(concat(file.string(), ": the case ", shown(item.id), " lacks classes"));
    }
    std::vector<std::optional<double>> dice;
    for (const LoadedClass& own : item.classes) dice.push_back(own.runs.front().front());
    item.dice = mean_of_defined(dice);
  }
}

std::string text_or_empty(const Json& json) {
  return json.is_string() ? json.get<std::string>() : std::string();
}

/// Older summaries have two sides, those of volumes three.
std::string spacing_text(const Json& spacing) {
  std::string out = concat(spacing.at(0).get<double>(), " x ", spacing.at(1).get<double>());
  if (spacing.size() > 2 && spacing.at(2) != 1) out += concat(" x ", spacing.at(2).get<double>());
  return out;
}

void take_summary(const Json& summary, LoadedEvaluation& out) {
  const auto format = summary.at("format").get<int>();
  if (format != 1) {
    throw_failure(concat("is of format ", format, ", this program reads 1; use a newer medurwkv"));
  }
  out.subject = summary.at("subject").get<std::string>();
  out.data_root = summary.at("data").at("root").get<std::string>();
  out.data_sha256 = summary.at("data").at("sha256").get<std::string>();
  if (summary.at("data").contains("plane")) {  // older summaries lack it
    out.plane = plane_from(summary.at("data").at("plane").get<std::string>());
  }
  if (summary.at("data").contains("mask_encoding")) {  // older summaries lack it
    out.truth_encoding = summary.at("data").at("mask_encoding").get<std::string>();
    for (const Json& own : summary.at("data").at("classes")) {
      out.truth_classes.push_back(
          {own.at("name").get<std::string>(), own.at("color").get<std::array<std::uint8_t, 3>>()});
    }
    const std::string wrong = wrong_class_names(names_of(out.truth_classes));
    if (!wrong.empty()) throw_failure(wrong + "; evaluate again");
  }
  out.split_file = text_or_empty(summary.at("split").at("file"));
  out.split_sha256 = text_or_empty(summary.at("split").at("sha256"));
  out.part = summary.at("part").get<std::string>();
  out.unit = summary.at("unit").get<std::string>();
  const Json& spacing = summary.at("spacing");
  out.spacing = spacing.is_null()
                    ? concat("of a file with the SHA-256 ",
                             summary.at("spacing_file").at("sha256").get<std::string>())
                    : spacing_text(spacing);
  const Json& tolerance = summary.at("tolerance");
  out.tolerance = tolerance.is_null() ? "2 pixels" : exact(tolerance.get<double>());
  for (const Json& own : summary.at("classes")) {
    out.class_names.push_back(own.at("name").get<std::string>());
  }
  const std::string wrong = wrong_class_names(out.class_names);
  if (!wrong.empty()) throw_failure(wrong + "; evaluate again");
  const Json& masks = summary.at("predictions");
  if (masks.is_object()) {
    out.masks = masks.at("folder").get<std::string>();
    out.mask_encoding = masks.at("encoding").get<std::string>();
  } else {
    out.masks = out.folder / "masks";
  }
}

LoadedEvaluation load_single(const fs::path& folder, const std::string& name) {
  LoadedEvaluation out;
  out.folder = folder;
  out.name = name;
  const fs::path file = folder / "summary.json";
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    throw_failure(concat(folder.string(),
                         ": holds no summary.json; name the folder that `medurwkv evaluate --out` "
                         "wrote"));
  }
  const std::string text = read_file(file, most_bytes);
  out.sha256 = sha256(text);
  try {
    take_summary(Json::parse(text), out);
  } catch (const Json::exception& caught) {
    throw_failure(
        concat(file.string(), ": is broken (", shown(caught.what()), "); evaluate again"));
  } catch (const Error& caught) {
    throw_failure(concat(file.string(), ": ", caught.what()));
  }
  if (out.class_names.empty()) throw_failure(concat(file.string(), ": names no classes"));
  read_cases(folder / "cases.csv", out);
  return out;
}

/// A series' folder: each model's evaluation as a run, or all folds' cases as one.
LoadedEvaluation load_series(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / "series.json";
  const std::string text = read_file(file, most_bytes);
  std::vector<std::string> models;
  bool pooled = false;
  std::map<std::string, Statistic> between;
  try {
    const Json series = Json::parse(text);
    for (const Json& one : series.at("models")) models.push_back(one.at("name").get<std::string>());
    for (const Json& one : series.at("together")) pooled = pooled || one.at("name") == "pooled";
    for (const auto& [key, own] : series.at("over_models").items()) {
      if (!own.at("mean").is_number()) continue;
      Statistic& out = between[key];
      out.used = own.at("used").get<std::int64_t>();
      out.of = own.at("of").get<std::int64_t>();
      out.mean = own.at("mean").get<double>();
      if (own.at("deviation").is_number()) out.deviation = own.at("deviation").get<double>();
    }
  } catch (const Json::exception& caught) {
    throw_failure(
        concat(file.string(), ": is broken (", shown(caught.what()), "); evaluate again"));
  }
  const auto below = [&](const std::string& model) {
    const fs::path relative = fs::path(model).lexically_normal();
    if (relative.empty() || relative.is_absolute() || *relative.begin() == "..") {
      throw_failure(concat(file.string(), ": names ", shown(model), ", which is no folder of it"));
    }
    return folder / relative;
  };
  LoadedEvaluation out;
  if (pooled) {
    out = load_single(folder / "pooled", name);
    out.runs = models;
    out.masks.clear();
  } else {
    std::vector<LoadedEvaluation> runs;
    for (const std::string& model : models) runs.push_back(load_single(below(model), model));
    if (runs.empty()) throw_failure(concat(file.string(), ": names no models"));
    out = averaged(runs);
  }
  out.name = name;
  out.subject = concat(models.size(), pooled ? " folds, each case by the model that has not seen it"
                                             : " models, the mean of each case over them");
  out.folder = folder;
  out.sha256 = sha256(text);
  out.between = std::move(between);
  return out;
}

}  // namespace

LoadedEvaluation load_evaluation(const fs::path& folder, const std::string& name) {
  std::error_code error;
  const bool series = fs::is_regular_file(folder / "series.json", error) &&
                      !fs::is_regular_file(folder / "summary.json", error);
  return series ? load_series(folder, name) : load_single(folder, name);
}

}  // namespace medurwkv::judge
