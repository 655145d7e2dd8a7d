// Reading an evaluation's summary.json and cases.csv (judge/report/comparison.h).
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/table.h"
#include "core/text.h"
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

std::vector<LoadedCase> read_cases(const fs::path& file, std::size_t class_count) {
  const Table table = read_table(file, most_bytes);
  const std::size_t id = table.column("case");
  const std::size_t label = table.column("label");
  const std::size_t found = table.column("true_positive");
  const std::size_t missed = table.column("false_negative");
  const std::optional<std::size_t> group = table.find({"group"});  // older evaluations lack it
  std::array<std::size_t, metric_count> columns{};
  for (std::size_t m = 0; m < metric_count; ++m) columns.at(m) = table.column(metrics[m].key);
  std::vector<LoadedCase> out;
  for (const Table::Row& row : table.rows()) {
    const std::string& own_id = row.fields[id];
    if (out.empty() || out.back().classes.size() == class_count) {
      out.push_back({.id = own_id,
                     .group = group ? row.fields[*group] : std::string(),
                     .classes = {},
                     .class_mean = {}});
    }
    LoadedClass own;
    const auto value = table.number(row, label);
    own.label = static_cast<std::uint8_t>(out.back().classes.size() + 1);
    if (value != own.label || own_id != out.back().id) {
      table.fail(row,
                 concat("expected class ", int{own.label}, " of the case ", shown(out.back().id)));
    }
    own.true_pixels = pixels_of(table, row, found) + pixels_of(table, row, missed);
    for (std::size_t m = 0; m < metric_count; ++m) {
      own.values.at(m) = table.number(row, columns.at(m));
    }
    out.back().classes.push_back(own);
  }
  for (LoadedCase& item : out) {
    if (item.classes.size() != class_count) {
      throw_failure(concat(file.string(), ": the case ", shown(item.id), " lacks classes"));
    }
    for (std::size_t m = 0; m < metric_count; ++m) {
      std::vector<std::optional<double>> values;
      for (const LoadedClass& own : item.classes) values.push_back(own.values.at(m));
      item.class_mean.at(m) = mean_of_defined(values);
    }
  }
  return out;
}

std::string text_or_empty(const Json& json) {
  return json.is_string() ? json.get<std::string>() : std::string();
}

void take_summary(const Json& summary, LoadedEvaluation& out) {
  const auto format = summary.at("format").get<int>();
  if (format != 1) {
    throw_failure(concat("is of format ", format, ", this program reads 1; use a newer medurwkv"));
  }
  out.subject = summary.at("subject").get<std::string>();
  out.data_root = summary.at("data").at("root").get<std::string>();
  out.data_sha256 = summary.at("data").at("sha256").get<std::string>();
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
                    : concat(spacing.at(0).get<double>(), " x ", spacing.at(1).get<double>());
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

}  // namespace

LoadedEvaluation load_evaluation(const fs::path& folder, const std::string& name) {
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
  out.cases = read_cases(folder / "cases.csv", out.class_names.size());
  return out;
}

}  // namespace medurwkv::judge
