#include "report.h"

#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

#include "core/files.h"
#include "core/text.h"

namespace medurwkv::bench {
namespace {

using nlohmann::json;

double number(const json& from, const char* key) {
  return from.at(key).get<double>();
}

/// Six digits that count, in every number.
json shortened(json value) {
  if (value.is_number_float()) {
    std::ostringstream out;
    out << std::setprecision(6) << value.get<double>();
    return json::parse(out.str(), nullptr, false);
  }
  if (value.is_structured()) {
    for (json& one : value) one = shortened(one);
  }
  return value;
}

std::string milliseconds(const json& seconds) {
  return fixed(1e3 * number(seconds, "median"), 3);
}

std::string interval(const json& estimate, double factor, int digits) {
  return concat(fixed(factor * number(estimate, "median"), digits), " [",
                fixed(factor * number(estimate, "low"), digits), ", ",
                fixed(factor * number(estimate, "high"), digits), "]");
}

bool is_void(const json& row) {
  return row.at("machine").at("void") == true;
}

std::string verdict(const json& row) {
  if (is_void(row)) return "void";
  if (!row.contains("met")) return "";
  return row.at("met").get<bool>() ? "met" : "MISSED";
}

void print_row(const json& row) {
  const json& machine = row.at("machine");
  std::cout << std::left << std::setw(46) << row.at("name").get<std::string>() << std::setw(19)
            << row.at("pass").get<std::string>() << std::right << std::setw(2) << row.at("threads")
            << std::setw(11) << milliseconds(row.at("seconds")) << std::setw(11)
            << milliseconds(row.at("peer").at("seconds")) << std::setw(23)
            << interval(row.at("ratio"), 1, 2) << std::setw(9) << fixed(number(row, "gflop_s"), 1)
            << std::setw(8) << fixed(number(row, "gbyte_s"), 1) << std::setw(18)
            << interval(row.at("share"), 100, 0) << std::setw(8)
            << fixed(number(machine.at("matrix_gflops"), "median"), 0) << std::setw(6)
            << fixed(number(machine.at("triad_gb_s"), "median"), 1) << "  " << verdict(row)
            << std::endl;
}

}  // namespace

void Results::add(const std::string& benchmark, std::vector<json> rows) {
  if (!rows_.contains(benchmark)) order_.push_back(benchmark);
  rows_[benchmark] = std::move(rows);
  if (!out_.empty()) write_file(out_, text());
}

const std::vector<json>& Results::of(const std::string& benchmark) const {
  static const std::vector<json> none;
  const auto found = rows_.find(benchmark);
  return found == rows_.end() ? none : found->second;
}

std::string Results::text() const {
  std::string rows;
  for (const std::string& name : order_) {
    for (json row : rows_.at(name)) {
      row["benchmark"] = name;
      rows += concat(rows.empty() ? "" : ",\n", shortened(row).dump());
    }
  }
  json about = about_;
  about["rows"] = json::array();
  const std::string head = about.dump(1);
  const std::string mark = "\"rows\": []";
  const std::size_t at = head.find(mark);
  return concat(head.substr(0, at), "\"rows\": [\n", rows, "\n]", head.substr(at + mark.size()),
                "\n");
}

bool Results::met() const {
  for (const auto& [name, rows] : rows_) {
    for (const json& row : rows) {
      if (row.contains("met") && !row.at("met").get<bool>() && !is_void(row)) return false;
    }
  }
  return true;
}

bool TableReporter::ReportContext(const Context& /*context*/) {
  std::cout << std::left << std::setw(46) << "case" << std::setw(19) << "pass" << std::right
            << std::setw(2) << "N" << std::setw(11) << "ours ms" << std::setw(11) << "peer ms"
            << std::setw(23) << "ratio" << std::setw(9) << "GFLOP/s" << std::setw(8) << "GB/s"
            << std::setw(18) << "% of roofline" << std::setw(8) << "F" << std::setw(6) << "B"
            << "\n";
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    const std::string name = run.run_name.function_name;
    if (run.error_occurred) std::cout << name << ": " << run.error_message << "\n";
    for (const json& row : results_.of(name)) print_row(row);
  }
}

}  // namespace medurwkv::bench
