// Means, spreads and percentiles of a few numbers, defined once so that every figure of a report
// means the same. Relies on core/random.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace medurwkv::judge {

/// The `fraction` (0..1) percentile with linear interpolation between order statistics at position
/// fraction * (n - 1), numpy's default (Hyndman and Fan 1996, type 7). `values` must not be empty.
double percentile(std::vector<double> values, double fraction);

struct Interval {
  double low = 0;
  double high = 0;
};

/// Spread of the defined values among `of` values; every number is absent where it is undefined.
struct Statistic {
  std::int64_t used = 0;               ///< values that were defined
  std::int64_t of = 0;                 ///< all values, defined or not
  std::optional<double> mean;          ///< absent when used is 0
  std::optional<double> deviation;     ///< of the sample (n - 1); absent when used is below 2
  std::optional<double> median;        ///< absent when used is 0
  std::optional<Interval> interval{};  ///< 95 % of the mean, where it was asked for
};
Statistic statistic(std::span<const std::optional<double>> values);

/// The 95 % interval of a share of independent things, `part` of `whole` (Wilson 1927); absent
/// where the whole is 0.
std::optional<Interval> wilson_interval(std::int64_t part, std::int64_t whole);

/// The mean of the defined values; absent when there is none.
std::optional<double> mean_of_defined(std::span<const std::optional<double>> values);

/// Which values depend on each other (slices of one patient): for each the number of its group,
/// from 0 on in the order of first appearance. Empty: every value stands for itself.
using Groups = std::vector<std::size_t>;

/// By name; empty where no two are equal.
Groups groups_of(std::span<const std::string> names);

/// How many there are; of empty ones 0.
std::size_t group_count(const Groups& groups);

/// The mean of each group's defined values, absent where it has none; without groups the values.
std::vector<std::optional<double>> group_means(std::span<const std::optional<double>> values,
                                               const Groups& groups);

/// Percentile bootstrap of the mean (Efron 1979): `resamples` means of as many values drawn with
/// replacement, their 2.5 % and 97.5 % percentiles. With groups whole groups are drawn, as many as
/// there are, and the mean is taken over all of their values (Davison and Hinkley 1997, 3.8). A
/// pure function of its arguments. Absent where fewer than two values, or groups with one, are
/// defined: they tell nothing about a spread.
std::optional<Interval> bootstrap_interval(std::span<const std::optional<double>> values,
                                           const Groups& groups, int resamples, std::uint64_t seed);

}  // namespace medurwkv::judge
