// What a run of the benchmarks found: kept row by row, printed as a table by Google Benchmark's
// reporter interface, written as one JSON file. Relies on Google Benchmark.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

namespace medurwkv::bench {

/// The rows of every benchmark by its name.
class Results {
 public:
  void add(const std::string& benchmark, std::vector<nlohmann::json> rows);
  [[nodiscard]] const std::vector<nlohmann::json>& of(const std::string& benchmark) const;
  /// `about` with all rows, in the order in which they came, as "rows": JSON text with a line a row
  /// and numbers of six digits.
  [[nodiscard]] std::string text(nlohmann::json about) const;
  /// Whether every bar was met.
  [[nodiscard]] bool met() const;

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::vector<nlohmann::json>> rows_;
};

/// One line a row: both medians, their ratio and the share of the roofline with intervals, the
/// verdict.
class TableReporter : public benchmark::BenchmarkReporter {
 public:
  explicit TableReporter(const Results& results) : results_(results) {}
  bool ReportContext(const Context& context) override;     // NOLINT: the library's name
  void ReportRuns(const std::vector<Run>& runs) override;  // NOLINT: the library's name

 private:
  const Results& results_;
};

}  // namespace medurwkv::bench
