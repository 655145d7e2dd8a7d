#include "measure/in_turn.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <nlohmann/json.hpp>

namespace medurwkv::measure {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const Contender& contender, int repetitions) {
  const auto start = Clock::now();
  for (int i = 0; i < repetitions; ++i) contender.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Repetitions that fill `wanted` seconds, after a first run that is not counted.
int repetitions_for(const Contender& contender, double wanted) {
  constexpr int most = 1 << 20;
  contender.run();
  int count = 1;
  double taken = seconds_of(contender, count);
  // What is shorter than a tenth of the time is counted again by more of it.
  while (taken < wanted / 10 && count < most) {
    count *= 4;
    taken = seconds_of(contender, count);
  }
  if (taken <= 0) return count;
  return static_cast<int>(std::clamp(std::round(count * wanted / taken), 1.0, double{most}));
}

}  // namespace

std::vector<Times> measure_in_turn(const std::vector<Contender>& contenders,
                                   const MeasureOptions& options) {
  std::vector<Times> out;
  std::vector<int> repetitions;
  for (const Contender& contender : contenders) {
    if (options.before_round) options.before_round();
    out.push_back({.name = contender.name, .seconds = {}});
    repetitions.push_back(repetitions_for(contender, options.seconds));
  }
  for (int round = 0; round < options.rounds; ++round) {
    if (options.before_round) options.before_round();
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const std::size_t at = round % 2 == 0 ? i : contenders.size() - 1 - i;
      out[at].seconds.push_back(seconds_of(contenders[at], repetitions[at]) / repetitions[at]);
    }
  }
  return out;
}

Estimate estimate(std::vector<double> sample) {
  if (sample.empty()) return {};
  std::sort(sample.begin(), sample.end());
  const std::size_t n = sample.size();
  // P(fewer than k of n lie below the median), k = 1, 2, ...: the k-th smallest and k-th largest
  // value miss it with twice that.
  double term = std::pow(0.5, static_cast<double>(n));
  double tail = term;
  std::size_t k = 1;
  while (2 * (k + 1) <= n) {
    term *= static_cast<double>(n - k + 1) / static_cast<double>(k);
    if (2 * (tail + term) > 0.05) break;
    tail += term;
    ++k;
  }
  return {.median = (sample[(n - 1) / 2] + sample[n / 2]) / 2,
          .low = sample[k - 1],
          .high = sample[n - k],
          .confidence = std::max(0.0, 1 - 2 * tail)};
}

Estimate rate(const Times& times, double amount) {
  std::vector<double> rates;
  for (const double seconds : times.seconds) rates.push_back(amount / seconds);
  return estimate(rates);
}

Estimate ratio(const Times& slow, const Times& fast) {
  std::vector<double> ratios;
  const std::size_t rounds = std::min(slow.seconds.size(), fast.seconds.size());
  for (std::size_t i = 0; i < rounds; ++i) ratios.push_back(slow.seconds[i] / fast.seconds[i]);
  return estimate(ratios);
}

void to_json(nlohmann::json& out, const Estimate& estimate) {
  out = {{"median", estimate.median},
         {"low", estimate.low},
         {"high", estimate.high},
         {"confidence", estimate.confidence}};
}

}  // namespace medurwkv::measure
