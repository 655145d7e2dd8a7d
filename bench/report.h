// What a run of the benchmarks found: kept row by row, printed as a table by Google Benchmark's
// reporter interface, written as one JSON file. Relies on Google Benchmark.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

namespace medurwkv::bench {

/// The rows of every benchmark by its name.
class Results {
 public:
  /// `about` heads the file `out`, which is written anew after every benchmark (not at all when it
  /// has no name), so that a run that is broken off leaves what it has.
  Results(nlohmann::json about, std::filesystem::path out)
      : about_(std::move(about)), out_(std::move(out)) {}

  void add(const std::string& benchmark, std::vector<nlohmann::json> rows);
  [[nodiscard]] const std::vector<nlohmann::json>& of(const std::string& benchmark) const;
  /// Whether every bar was met but for void ones.
  [[nodiscard]] bool met() const;

 private:
  /// JSON with a line a row, in the order in which they came, and numbers of six digits.
  [[nodiscard]] std::string text() const;

  nlohmann::json about_;
  std::filesystem::path out_;
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
