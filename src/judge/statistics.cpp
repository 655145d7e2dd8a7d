#include "judge/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
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

/// Of the defined values of a group.
struct Sum {
  double sum = 0;
  double count = 0;
};

/// Of each group; without groups of each value.
std::vector<Sum> sums_of(std::span<const std::optional<double>> values, const Groups& groups) {
  std::vector<Sum> out(groups.empty() ? values.size() : group_count(groups));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    Sum& own = out.at(groups.empty() ? i : groups.at(i));
    own.sum += *values[i];
    own.count += 1;
  }
  return out;
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

std::optional<Interval> wilson_interval(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5th percentile
  const auto n = static_cast<double>(whole);
  const double share = static_cast<double>(part) / n;
  const double centre = share + z * z / (2 * n);
  const double reach = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  const double whole_width = 1 + z * z / n;
  return Interval{std::max(0.0, (centre - reach) / whole_width),
                  std::min(1.0, (centre + reach) / whole_width)};
}

std::optional<double> mean_of_defined(std::span<const std::optional<double>> values) {
  const std::vector<double> known = defined(values);
  if (known.empty()) return std::nullopt;
  return mean(known);
}

Groups groups_of(std::span<const std::string> names) {
  std::map<std::string, std::size_t> known;
  Groups out;
  for (const std::string& name : names)
    out.push_back(known.emplace(name, known.size()).first->second);
  return known.size() == names.size() ? Groups{} : out;
}

std::size_t group_count(const Groups& groups) {
  return groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + 1;
}

std::vector<std::optional<double>> group_means(std::span<const std::optional<double>> values,
                                               const Groups& groups) {
  if (groups.empty()) return {values.begin(), values.end()};
  std::vector<std::optional<double>> out;
  for (const Sum& one : sums_of(values, groups)) {
    out.push_back(one.count > 0 ? std::optional(one.sum / one.count) : std::nullopt);
  }
  return out;
}

std::optional<Interval> bootstrap_interval(std::span<const std::optional<double>> values,
                                           const Groups& groups, int resamples,
                                           std::uint64_t seed) {
  std::vector<Sum> known = sums_of(values, groups);
  std::erase_if(known, [](const Sum& one) { return one.count == 0; });
  if (known.size() < 2 || resamples < 1) return std::nullopt;
  const Random random(seed, "bootstrap of the mean");
  std::vector<double> means(static_cast<std::size_t>(resamples));
  std::uint64_t index = 0;
  for (double& resampled : means) {
    Sum drawn;
    for (std::size_t i = 0; i < known.size(); ++i) {
      const Sum& one = known[random.below(index++, known.size())];
      drawn.sum += one.sum;
      drawn.count += one.count;
    }
    resampled = drawn.sum / drawn.count;
  }
  return Interval{percentile(means, 0.025), percentile(means, 0.975)};
}

}  // namespace medurwkv::judge
