// Wilcoxon's signed-rank test and Holm's correction, as SciPy computes them. Relies on the standard
// library alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace medurwkv::judge {

/// What differences of 0 do: `wilcox` drops them (Wilcoxon 1945); `pratt` ranks them and drops
/// their ranks (Pratt 1959).
enum class Zeros { wilcox, pratt };

struct WilcoxonTest {
  std::int64_t used = 0;  ///< differences that are not 0
  double statistic = 0;   ///< the smaller of the rank sums of positive and negative differences
  double p_value = 1;     ///< two-sided
  /// Effect size: the rank sum of positive differences minus that of negative ones, over both (the
  /// matched-pairs rank-biserial correlation, Kerby 2014); -1 to 1, 0 without differences.
  double rank_biserial = 0;
  /// True: p counts all assignments of signs, for up to 50 differences without ties or zeros and
  /// for up to 13 with. False: p is the normal approximation with the tie correction, without a
  /// continuity correction.
  bool exact = true;
};

/// scipy.stats.wilcoxon(differences, zero_method, method="auto") of SciPy 1.13 and later. Where all
/// differences are 0 p is 1. Absent without differences.
std::optional<WilcoxonTest> wilcoxon(std::span<const double> differences,
                                     Zeros zeros = Zeros::wilcox);

/// p-values corrected so that they bound the chance of any false positive among all tests (Holm
/// 1979): the k-th smallest of m times m - k + 1, not below the one before it, at most 1.
std::vector<double> holm(std::span<const double> p_values);

}  // namespace medurwkv::judge
