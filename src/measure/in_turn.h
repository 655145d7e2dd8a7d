// Timing contenders against each other: in turn, round by round, so that what else runs on the
// machine meets all of them alike. Medians, rates and ratios have intervals that assume no
// distribution. Relies on the standard library; on nlohmann for what it writes as JSON.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace medurwkv::measure {

struct Contender {
  std::string name;
  std::function<void()> run;
};

struct MeasureOptions {
  int rounds = 15;
  /// A round repeats a contender until about this many seconds have passed (its share of a round).
  double seconds = 0.02;
  /// Called before every round; what it throws ends the measuring.
  std::function<void()> before_round = {};
};

/// Seconds per run of a contender, one entry a round.
struct Times {
  std::string name;
  std::vector<double> seconds;
};

/// Every contender once to warm up and to find its number of repetitions, then the rounds: all of
/// them in turn, every other round in the opposite order.
std::vector<Times> measure_in_turn(const std::vector<Contender>& contenders,
                                   const MeasureOptions& options);

/// A median between two order statistics of the sample.
struct Estimate {
  double median = 0;
  double low = 0;
  double high = 0;
  /// Probability that [low, high] covers the true median: at least 0.95 where the sample allows it
  /// (6 or more), that of its whole range otherwise.
  double confidence = 0;

  template <class Self, class Visit>
  static void fields(Self& self, const Visit& visit) {
    visit("median", self.median);
    visit("low", self.low);
    visit("high", self.high);
    visit("confidence", self.confidence);
  }
};

/// Median of the sample and its interval from order statistics (the binomial distribution of how
/// many lie below the true median). All zero for an empty sample.
Estimate estimate(std::vector<double> sample);

/// `amount` per second, where one run does `amount`: the estimate over the rounds.
Estimate rate(const Times& times, double amount);

/// How many times as long `slow` took as `fast`: the estimate over the ratios of the rounds. Both
/// have the same number of rounds.
Estimate ratio(const Times& slow, const Times& fast);

/// {"median", "low", "high", "confidence"}.
void to_json(nlohmann::json& out, const Estimate& estimate);

}  // namespace medurwkv::measure
