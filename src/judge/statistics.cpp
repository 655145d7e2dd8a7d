#include "judge/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/random.h"

namespace medurwkv::judge {

namespace {

std::vector<double> defined(std::span<const std::optional<double>> values) {
  std::vector<double> out;
  out.reserve(values.size());
  for (const auto& value : values) {
    if (value) out.push_back(*value);
  }
  return out;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double percentile(std::vector<double> values, double fraction) {
  if (values.empty()) throw_internal("percentile of no values");
  const double position = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double low = *at;
  if (below + 1 == values.size()) return low;
  const double high = *std::min_element(at + 1, values.end());
  return low + (position - static_cast<double>(below)) * (high - low);
}

Statistic statistic(std::span<const std::optional<double>> values) {
  Statistic out;
  const std::vector<double> known = defined(values);
  out.of = static_cast<std::int64_t>(values.size());
  out.used = static_cast<std::int64_t>(known.size());
  if (known.empty()) return out;
  const double centre = mean(known);
  out.mean = centre;
  out.median = percentile(known, 0.5);
  if (known.size() > 1) {
    double squares = 0;
    for (const double value : known) squares += (value - centre) * (value - centre);
    out.deviation = std::sqrt(squares / static_cast<double>(known.size() - 1));
  }
  return out;
}

std::optional<double> mean_of_defined(std::span<const std::optional<double>> values) {
  const std::vector<double> known = defined(values);
  if (known.empty()) return std::nullopt;
  return mean(known);
}

std::optional<Interval> bootstrap_interval(std::span<const std::optional<double>> values,
                                           int resamples, std::uint64_t seed) {
  const std::vector<double> known = defined(values);
  if (known.size() < 2 || resamples < 1) return std::nullopt;
  const Random random(seed, "bootstrap of the mean");
  std::vector<double> means(static_cast<std::size_t>(resamples));
  std::uint64_t index = 0;
  for (double& resampled : means) {
    double sum = 0;
    for (std::size_t i = 0; i < known.size(); ++i) {
      sum += known[random.below(index++, known.size())];
    }
    resampled = sum / static_cast<double>(known.size());
  }
  return Interval{percentile(means, 0.025), percentile(means, 0.975)};
}

}  // namespace medurwkv::judge
