// Timing in turn: intervals against the tables of the binomial distribution, the order of rounds.
#include "measure/in_turn.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace medurwkv::measure {
namespace {

std::vector<double> shuffled(int count) {
  std::vector<double> out;
  // 7 is no divisor of the counts below: every number 1..count comes once.
  for (int i = 0; i < count; ++i) out.push_back(1 + i * 7 % count);
  return out;
}

// Ranks and coverages as tabulated for the sign test's interval (n = 15: ranks 4 and 12, coverage
// 1 - 2 (1 + 15 + 105 + 455) / 2^15).
TEST(Estimate, HasTheSignTestsInterval) {
  const Estimate fifteen = estimate(shuffled(15));
  EXPECT_EQ(fifteen.median, 8);
  EXPECT_EQ(fifteen.low, 4);
  EXPECT_EQ(fifteen.high, 12);
  EXPECT_NEAR(fifteen.confidence, 1 - 2 * 576 / 32768.0, 1e-12);
  const Estimate twenty = estimate(shuffled(20));
  EXPECT_EQ(twenty.median, 10.5);
  EXPECT_EQ(twenty.low, 6);
  EXPECT_EQ(twenty.high, 15);
  const Estimate six = estimate(shuffled(6));
  EXPECT_EQ(six.low, 1);
  EXPECT_EQ(six.high, 6);
  EXPECT_NEAR(six.confidence, 0.96875, 1e-12);
}

TEST(Estimate, SaysWhenASampleIsTooSmall) {
  const Estimate three = estimate({2, 3, 1});
  EXPECT_EQ(three.median, 2);
  EXPECT_EQ(three.low, 1);
  EXPECT_EQ(three.high, 3);
  EXPECT_NEAR(three.confidence, 0.75, 1e-12);
  EXPECT_EQ(estimate({5}).median, 5);
  EXPECT_EQ(estimate({5}).confidence, 0);
  EXPECT_EQ(estimate({}).median, 0);
}

// A neighbour that slows both contenders of a round tenfold changes no ratio.
TEST(Ratio, IsTakenWithinRounds) {
  const Times slow{.name = "slow", .seconds = {3, 30, 3, 300, 3}};
  const Times fast{.name = "fast", .seconds = {1, 10, 1, 100, 1}};
  EXPECT_EQ(ratio(slow, fast).median, 3);
  EXPECT_EQ(ratio(slow, fast).low, 3);
  EXPECT_EQ(ratio(slow, fast).high, 3);
}

TEST(MeasureInTurn, AlternatesTheOrderOfRounds) {
  std::string order;
  // Longer than the wanted seconds: one repetition each.
  const auto contender = [&](const char* name) {
    return Contender{.name = name, .run = [&order, name] {
                       order += name;
                       std::this_thread::sleep_for(std::chrono::milliseconds(2));
                     }};
  };
  const std::vector<Times> times =
      measure_in_turn({contender("a"), contender("b")}, {.rounds = 3, .seconds = 0.001});
  EXPECT_EQ(order,
            "aabb"
            "ab"
            "ba"
            "ab");
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0].name, "a");
  ASSERT_EQ(times[1].seconds.size(), 3U);
  for (const double seconds : times[1].seconds) EXPECT_GE(seconds, 0.002);
}

// Short contenders are repeated, and the time is that of one run.
TEST(MeasureInTurn, RepeatsWhatIsShort) {
  int runs = 0;
  const std::vector<Times> times =
      measure_in_turn({{.name = "short", .run = [&] { ++runs; }}}, {.rounds = 2, .seconds = 0.001});
  EXPECT_GT(runs, 100);
  EXPECT_LT(times[0].seconds[0], 1e-4);
}

// Ten repetitions fill a round. Without the division by them a run would seem to last ten times as
// long.
TEST(MeasureInTurn, GivesTheTimeOfOneRun) {
  const auto sleep = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  const std::vector<Times> times =
      measure_in_turn({{.name = "sleep", .run = sleep}}, {.rounds = 5, .seconds = 0.02});
  const double median = estimate(times[0].seconds).median;
  EXPECT_GE(median, 0.002);
  EXPECT_LT(median, 0.01);
}

TEST(Rate, IsTheAmountOverTheTimeOfEveryRound) {
  const Estimate found = rate({.name = "x", .seconds = {2, 1, 4}}, 12);
  EXPECT_EQ(found.median, 6);
  EXPECT_EQ(found.low, 3);
  EXPECT_EQ(found.high, 12);
}

TEST(MeasureInTurn, EndsWhenItIsAskedTo) {
  int rounds = 0;
  const MeasureOptions options{.rounds = 100, .seconds = 0, .before_round = [&] {
                                 if (++rounds == 3) throw std::runtime_error("stop");
                               }};
  EXPECT_THROW(measure_in_turn({{.name = "x", .run = [] {}}}, options), std::runtime_error);
  EXPECT_EQ(rounds, 3);
}

}  // namespace
}  // namespace medurwkv::measure
