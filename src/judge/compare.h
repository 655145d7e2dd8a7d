// Two or more evaluations of the same cases, paired case by case. Reads what judge/report.h writes.
// Relies on judge/metrics.h, judge/wilcoxon.h and nlohmann/json.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "judge/metrics.h"
#include "judge/statistics.h"
#include "judge/wilcoxon.h"

namespace medurwkv::judge {

/// One class of one case, from cases.csv.
struct LoadedClass {
  std::uint8_t label = 0;
  std::array<std::optional<double>, metric_count> values;
};
struct LoadedCase {
  std::string id;
  std::vector<LoadedClass> classes;
  std::array<std::optional<double>, metric_count> class_mean;  ///< over classes where defined
};

/// An evaluation's folder.
struct LoadedEvaluation {
  std::filesystem::path folder;
  std::string name;     ///< "A", "B", ...
  std::string subject;  ///< what was judged
  std::string data_root, data_sha256, split_file, split_sha256, part, unit;
  std::string spacing, tolerance;        ///< as texts that are equal where these are
  std::vector<std::string> class_names;  ///< without the background
  std::filesystem::path masks;           ///< the predicted masks
  std::string mask_encoding;             ///< of masks that were judged; empty: of our own
  std::string sha256;                    ///< of summary.json
  std::vector<LoadedCase> cases;
};

/// Throws Error naming the file and what is wrong with it.
LoadedEvaluation load_evaluation(const std::filesystem::path& folder, const std::string& name);

/// Throws Error that names the first thing in which two evaluations are not of the same cases:
/// data, split, part, classes, spacing, tolerance, the cases themselves.
void check_comparable(const std::vector<LoadedEvaluation>& evaluations);

/// One metric of one pair of evaluations: b minus a over the cases where both have it.
struct PairedMetric {
  std::size_t metric = 0;  ///< in judge::metrics
  std::string of;          ///< "mean over classes" or a class's name
  bool of_classes = true;
  Statistic first, second;
  Statistic difference;  ///< with its bootstrap interval; `of` counts all cases
  std::int64_t better = 0, worse = 0, equal = 0;  ///< cases in which b is better, ...
  std::optional<WilcoxonTest> test;
  std::optional<double> corrected;  ///< p by Holm over all tests of means over classes; absent for
                                    ///< single classes

  /// "Dice" (over classes) or "Dice, polyp".
  [[nodiscard]] std::string name() const;
};

struct Change {
  std::string id;
  double first = 0, second = 0;  ///< mean Dice over classes
};

struct Pair {
  std::size_t first = 0, second = 0;  ///< in Comparison::evaluations
  std::vector<PairedMetric> metrics;
  std::vector<double> dice_differences;  ///< by case where both are defined
  std::vector<Change> changes;           ///< by size, largest first, without equal cases
};

struct CompareOptions {
  std::vector<std::string> metrics{"dice", "hd95", "nsd"};  ///< keys
  Zeros zeros = Zeros::wilcox;
  std::uint64_t seed = 0;
};

struct Comparison {
  std::vector<LoadedEvaluation> evaluations;
  std::vector<Pair> pairs;  ///< every two of them
  CompareOptions options;
  std::string command;
};

/// Throws a usage Error for fewer than two and for unknown metrics, and as check_comparable.
Comparison compare(std::vector<LoadedEvaluation> evaluations, const CompareOptions& options);

std::string comparison_text(const Comparison& comparison);
nlohmann::json comparison_json(const Comparison& comparison);

/// Pictures of a case that changed: the same image under each evaluation.
struct ChangePictures {
  std::size_t pair = 0;
  std::string id;
  std::vector<std::string> png, captions, alts;
};
std::string comparison_html(const Comparison& comparison,
                            const std::vector<ChangePictures>& pictures);

}  // namespace medurwkv::judge
