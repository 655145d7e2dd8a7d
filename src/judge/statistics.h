// Means, spreads and percentiles of a few numbers, defined once so that every figure of a report
// means the same. Relies on core/random.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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

/// The mean of the defined values; absent when there is none.
std::optional<double> mean_of_defined(std::span<const std::optional<double>> values);

/// Percentile bootstrap of the mean (Efron 1979): `resamples` means of as many values drawn with
/// replacement, their 2.5 % and 97.5 % percentiles. A pure function of its arguments. Absent for
/// fewer than two defined values, which tell nothing about a spread.
std::optional<Interval> bootstrap_interval(std::span<const std::optional<double>> values,
                                           int resamples, std::uint64_t seed);

}  // namespace medurwkv::judge
