// Two or more evaluations of the same cases, paired case by case. Relies on
// judge/metrics.h and judge/wilcoxon.h.
//
// A pair's values differ from those of an evaluation alone in three ways (docs/metrics.md):
// - Where the truth lacks a class and one side predicts it, the side that does not has the perfect
//   value (1 for shares, 0 for lengths). An evaluation alone leaves that value out.
// - A mean over classes is taken over the classes where both sides have a value.
// - Of a metric that is a bias (volume_difference) the magnitude counts, per class.
//
// A side may be several runs (seeds, folds): of a class of a case its value is the mean over the
// runs that have one, after the first and the last of these.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "judge/metrics.h"
#include "judge/statistics.h"
#include "judge/wilcoxon.h"

namespace medurwkv::judge {

/// One class of one case, from cases.csv.
struct LoadedClass {
  std::uint8_t label = 0;
  std::int64_t true_pixels = 0;  ///< of the truth
  /// By run, then in the order of LoadedEvaluation::metrics.
  std::vector<std::vector<std::optional<double>>> runs;
};
struct LoadedCase {
  std::string id;
  std::string group{};  ///< cases that depend on each other share it; empty: none does
  std::vector<LoadedClass> classes;
  std::optional<double> dice{};  ///< mean over classes where defined, as `evaluate` has it; over
                                 ///< runs its mean
};

/// An evaluation's folder, or that of several runs.
struct LoadedEvaluation {
  std::filesystem::path folder;
  /// Names of the runs that are averaged; one, and nameless, of a single evaluation.
  std::vector<std::string> runs{""};
  /// By a metric's key, of a series: over its models, of each one's mean over classes and cases as
  /// evaluated. Empty of a single evaluation.
  std::map<std::string, Statistic> between{};
  std::vector<Metric> metrics = default_metrics();  ///< those of `default` first
  std::string name;                                 ///< "A", "B", ...
  std::string subject;                              ///< what was judged
  std::string data_root, data_sha256, split_file, split_sha256, part, unit;
  std::string truth_encoding;            ///< of the truth's masks; empty: not recorded
  Plane plane = Plane::stored;           ///< into whose slices the set's volumes were cut
  std::vector<ClassInfo> truth_classes;  ///< background first; empty: not recorded
  std::string spacing, tolerance;        ///< as texts that are equal where these are
  std::vector<std::string> class_names;  ///< without the background
  std::filesystem::path masks;           ///< the predicted masks
  std::string mask_encoding;             ///< of masks that were judged; empty: of our own
  std::string sha256;                    ///< of summary.json, or of series.json
  std::vector<LoadedCase> cases;
};

/// Throws Error that names the first thing in which two evaluations are not of the same cases:
/// data, split, part, classes, spacing, tolerance, the cases and the sizes of their truths.
void check_comparable(const std::vector<LoadedEvaluation>& evaluations);

/// Evaluations of the same cases as the runs of one side. Throws Error as check_comparable, and
/// where they do not have the same metrics.
LoadedEvaluation averaged(const std::vector<LoadedEvaluation>& runs);

/// One metric of one pair of evaluations: b minus a over the cases where both have it (see the top
/// of this file).
struct PairedMetric {
  Metric metric{};
  std::string of{};  ///< "mean over classes" or a class's name
  bool of_classes = true;
  Statistic first, second;
  Statistic difference;  ///< with its bootstrap interval; `of` counts all cases
  std::int64_t better = 0, worse = 0, equal = 0;  ///< cases in which b is better, ...
  std::optional<WilcoxonTest> test;  ///< of the cases' differences or, with groups, of their means
  std::optional<double> corrected;   ///< p by Holm over all tests of means over classes; absent for
                                     ///< single classes

  /// True for a bias, whose magnitudes are compared.
  [[nodiscard]] bool of_magnitudes() const;
  /// "Dice" (over classes), "Dice, polyp" or "|Volume difference|".
  [[nodiscard]] std::string name() const;
};

struct Change {
  std::string id;
  double first = 0, second = 0;  ///< mean Dice over classes, as the pair has it
};

struct Pair {
  std::size_t first = 0, second = 0;  ///< in Comparison::evaluations
  std::vector<PairedMetric> metrics;
  std::vector<double> dice_differences;  ///< by case where both are defined
  std::vector<Change> changes;           ///< by size, largest first, without equal cases
  /// Classes of cases in which a side is perfect because the truth lacks the class and only the
  /// other side predicts it.
  std::int64_t first_perfect = 0, second_perfect = 0;
};

struct CompareOptions {
  std::vector<std::string> metrics{"dice", "hd95", "nsd"};  ///< keys
  Zeros zeros = Zeros::wilcox;
  std::uint64_t seed = 0;
};

struct Comparison {
  std::vector<LoadedEvaluation> evaluations;
  /// Groups that the cases fall into (of the first evaluation that tells them), which the bootstrap
  /// draws and the test takes in place of cases; empty where each case stands for itself.
  Groups groups;
  std::vector<Pair> pairs;  ///< every two of them
  CompareOptions options;
  std::string command;
};

/// Throws a usage Error for fewer than two, for unknown metrics and for those that one of them
/// lacks, and as check_comparable.
Comparison compare(std::vector<LoadedEvaluation> evaluations, const CompareOptions& options);

}  // namespace medurwkv::judge
