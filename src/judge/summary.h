// Many cases in a few figures. Relies on judge/metrics.h and judge/statistics.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "judge/metrics.h"
#include "judge/statistics.h"

namespace medurwkv::judge {

inline constexpr int bootstrap_resamples = 2000;

/// One class over all cases.
struct ClassSummary {
  std::uint8_t label = 0;
  std::vector<Statistic> metrics;  ///< in the order of value_of (judge/metrics.h)
  std::int64_t in_truth = 0;       ///< cases that have the class in the truth
  std::int64_t missed = 0;         ///< in the truth, nothing predicted
  std::int64_t hallucinated = 0;   ///< predicted, not in the truth
  std::int64_t both_empty = 0;     ///< neither: left out of overlap and distances
};

struct Summary {
  std::int64_t cases = 0;
  /// Groups that the cases fall into, which the bootstrap draws; 0 where each case stands for
  /// itself.
  std::int64_t groups = 0;
  bool over_groups = false;           ///< statistics are over the groups' means in place of cases
  std::vector<ClassSummary> classes;  ///< labels 1, 2, ...
  /// Over cases, of each case's mean over classes.
  std::vector<Statistic> class_mean = std::vector<Statistic>(metric_count);
  Statistic merged_dice;   ///< see CaseScores::merged_dice
  std::uint64_t seed = 0;  ///< of the bootstrap intervals
};

/// Statistics with bootstrap intervals, of cases or, `over_groups`, of the means of their groups.
/// All cases must have the same classes. No cases give statistics of 0 used of 0.
Summary summarise(std::span<const CaseScores> cases, std::uint64_t seed, bool over_groups = false);

/// The statistics of Summary::class_mean, and of one class of Summary::classes, over cases.
std::vector<Statistic> class_mean_statistics(std::span<const CaseScores> cases, std::uint64_t seed);
std::vector<Statistic> class_statistics(std::span<const CaseScores> cases, std::size_t position,
                                        std::uint64_t seed);

/// What the bootstrap draws: "cases", "18 groups of cases".
std::string drawn_text(std::int64_t groups);

/// Of the cases, by CaseScores::group.
Groups groups_of(std::span<const CaseScores> cases);

/// Positions of the best, the median and the worst case by CaseScores::dice (ties: the earlier
/// case), without repeats; empty when no case has one.
struct Ranked {
  const char* rank;  ///< "best", "median" or "worst"
  std::size_t index;
};
std::vector<Ranked> telling_cases(std::span<const CaseScores> cases);

}  // namespace medurwkv::judge
