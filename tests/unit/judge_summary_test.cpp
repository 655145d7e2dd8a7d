// Statistics over cases, by hand computation and by laws.
#include "judge/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"

namespace medurwkv::judge {
namespace {

// A binary case of 10 pixels in one row.
CaseScores row_case(const std::string& truth, const std::string& prediction) {
  const auto map = [](const std::string& text) {
    data::LabelMap out{static_cast<std::int64_t>(text.size()), 1, {}};
    for (const char c : text) out.labels.push_back(c == '1' ? 1 : 0);
    return out;
  };
  return score_case(truth + "/" + prediction, map(truth), map(prediction), 2);
}

TEST(Percentile, InterpolatesLinearly) {
  EXPECT_DOUBLE_EQ(percentile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile({10, 0}, 0.95), 9.5);
  EXPECT_DOUBLE_EQ(percentile({3, 1, 2}, 1), 3);
  EXPECT_DOUBLE_EQ(percentile({3, 1, 2}, 0), 1);
  EXPECT_DOUBLE_EQ(percentile({7}, 0.95), 7);
}

// 2, 4, 9: mean 5, squares 9 + 1 + 16 = 26, deviation sqrt(26 / 2).
TEST(Statistic, CountsWhatItUsed) {
  const std::vector<std::optional<double>> values{2, std::nullopt, 9, 4};
  const Statistic s = statistic(values);
  EXPECT_EQ(s.used, 3);
  EXPECT_EQ(s.of, 4);
  EXPECT_DOUBLE_EQ(s.mean.value(), 5);
  EXPECT_DOUBLE_EQ(s.deviation.value(), std::sqrt(13.0));
  EXPECT_DOUBLE_EQ(s.median.value(), 4);
}

TEST(Statistic, UndefinedIsAbsent) {
  const std::vector<std::optional<double>> none{std::nullopt};
  EXPECT_FALSE(statistic(none).mean || statistic(none).deviation || statistic(none).median);
  const std::vector<std::optional<double>> one{0.25};
  EXPECT_EQ(statistic(one).mean, 0.25);
  EXPECT_EQ(statistic(one).deviation, std::nullopt);
}

// The interval's width follows the standard error: for n draws of 0 and 1 in equal parts it is
// about 2 * 1.96 * 0.5 / sqrt(n).
TEST(Bootstrap, HasTheWidthOfTheStandardError) {
  std::vector<std::optional<double>> values;
  for (int i = 0; i < 400; ++i) values.emplace_back(i % 2);
  const auto interval = bootstrap_interval(values, {}, 2000, 1);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.5 - 0.049, 0.006);
  EXPECT_NEAR(interval->high, 0.5 + 0.049, 0.006);
}

TEST(Groups, AreNumberedByTheirNames) {
  const std::vector<std::string> names{"p2", "p1", "p2", "p9"};
  EXPECT_EQ(groups_of(names), (Groups{0, 1, 0, 2}));
  EXPECT_EQ(group_count(groups_of(names)), 3U);
  EXPECT_TRUE(groups_of(std::vector<std::string>{"a", "b"}).empty()) << "no two are equal";
  EXPECT_TRUE(groups_of(std::vector<std::string>{}).empty());
  const std::vector<std::optional<double>> values{1, 5, 2, std::nullopt};
  EXPECT_EQ(group_means(values, {0, 1, 0, 2}),
            (std::vector<std::optional<double>>{1.5, 5, std::nullopt}));
  EXPECT_EQ(group_means(values, {}), values);
}

// Copies of a case tell nothing new: the interval is that of the cases without them, where one that
// takes copies for cases is less than half as wide.
TEST(Bootstrap, DrawsWholeGroups) {
  std::vector<std::optional<double>> single;
  std::vector<std::optional<double>> copied;
  Groups groups;
  for (std::size_t i = 0; i < 20; ++i) {
    single.emplace_back(std::sin(static_cast<double>(i)));
    for (int copy = 0; copy < 5; ++copy) {
      copied.push_back(single.back());
      groups.push_back(i);
    }
  }
  const Interval of_single = *bootstrap_interval(single, {}, 2000, 1);
  const Interval of_groups = *bootstrap_interval(copied, groups, 2000, 1);
  const Interval of_copies = *bootstrap_interval(copied, {}, 2000, 1);
  EXPECT_NEAR(of_groups.low, of_single.low, 1e-12);
  EXPECT_NEAR(of_groups.high, of_single.high, 1e-12);
  EXPECT_LT(of_copies.high - of_copies.low, 0.5 * (of_groups.high - of_groups.low));
  // A group without a defined value is not drawn, and one group alone has no spread.
  copied.emplace_back();
  groups.push_back(20);
  EXPECT_NEAR(bootstrap_interval(copied, groups, 2000, 1)->low, of_single.low, 1e-12);
  EXPECT_FALSE(bootstrap_interval(single, Groups(20, 0), 2000, 1));
}

struct Design {
  std::size_t groups = 18;
  std::size_t cases = 5;  ///< of each group
  bool skewed = false;    ///< most near 1, some near 0, as Dice is
};

/// The share of 95 % intervals that hold the mean of what cases are drawn from: an effect of the
/// group and one of the case, of the same size.
double coverage(const Design& design) {
  constexpr int simulations = 10000;
  // Of the cube of a uniform number the mean is 1/4.
  const auto effect = [&](const Random& random, std::uint64_t at) {
    return design.skewed ? 0.75 - std::pow(random.uniform(at), 3) : random.normal(at);
  };
  const double expected = design.skewed ? 1.0 : 0.0;
  int held = 0;
  for (int s = 0; s < simulations; ++s) {
    const Random random(static_cast<std::uint64_t>(s), "coverage");
    std::vector<std::optional<double>> values;
    Groups groups;
    std::uint64_t at = 0;
    for (std::size_t g = 0; g < design.groups; ++g) {
      const double of_group = effect(random, at++);
      for (std::size_t c = 0; c < design.cases; ++c) {
        values.emplace_back(of_group + effect(random, at++));
        groups.push_back(g);
      }
    }
    const Interval interval =
        *bootstrap_interval(values, groups, bootstrap_resamples, static_cast<std::uint64_t>(s));
    held += interval.low <= expected && expected <= interval.high ? 1 : 0;
  }
  return static_cast<double>(held) / simulations;
}

// docs/metrics.md has the figures.
TEST(Bootstrap, OfGroupsCoversWhatItPromises) {
  EXPECT_NEAR(coverage({}), 0.925, 0.005);
  EXPECT_NEAR(coverage({.skewed = true}), 0.922, 0.005);
  EXPECT_NEAR(coverage({.groups = 5}), 0.837, 0.005);
}

TEST(Bootstrap, IsAFunctionOfTheSeed) {
  std::vector<std::optional<double>> values;
  for (int i = 0; i < 50; ++i) values.emplace_back(std::sin(i));
  EXPECT_EQ(bootstrap_interval(values, {}, 500, 3)->low,
            bootstrap_interval(values, {}, 500, 3)->low);
  EXPECT_NE(bootstrap_interval(values, {}, 500, 3)->low,
            bootstrap_interval(values, {}, 500, 4)->low);
  // Undefined values are no zeros.
  auto with_gaps = values;
  with_gaps.insert(with_gaps.begin(), std::nullopt);
  EXPECT_EQ(bootstrap_interval(values, {}, 500, 3)->low,
            bootstrap_interval(with_gaps, {}, 500, 3)->low);
  EXPECT_FALSE(bootstrap_interval(std::vector<std::optional<double>>{0.5}, {}, 500, 3));
}

// Dice by hand: 1, 0.5, missed 0, hallucinated 0, both empty left out: mean 1.5 / 4.
TEST(Summarise, CountsMissedAndHallucinated) {
  const std::vector<CaseScores> cases{row_case("11..", "11.."), row_case("11..", ".11."),
                                      row_case("1...", "...."), row_case("....", "..1."),
                                      row_case("....", "....")};
  const Summary s = summarise(cases, 0);
  ASSERT_EQ(s.classes.size(), 1U);
  const ClassSummary& own = s.classes.front();
  EXPECT_EQ(s.cases, 5);
  EXPECT_EQ(own.in_truth, 3);
  EXPECT_EQ(own.missed, 1);
  EXPECT_EQ(own.hallucinated, 1);
  EXPECT_EQ(own.both_empty, 1);
  EXPECT_EQ(own.metrics[0].used, 4);
  EXPECT_EQ(own.metrics[0].of, 5);
  EXPECT_DOUBLE_EQ(own.metrics[0].mean.value(), 1.5 / 4);
  EXPECT_DOUBLE_EQ(s.class_mean[0].mean.value(), 1.5 / 4);
  EXPECT_DOUBLE_EQ(s.merged_dice.mean.value(), 1.5 / 4);
  ASSERT_TRUE(s.class_mean[0].interval);
  EXPECT_LE(s.class_mean[0].interval->low, 1.5 / 4);
  EXPECT_GE(s.class_mean[0].interval->high, 1.5 / 4);
}

TEST(Summarise, NoCasesGiveNoFigures) {
  const Summary s = summarise({}, 0);
  EXPECT_EQ(s.cases, 0);
  EXPECT_FALSE(s.class_mean[0].mean || s.class_mean[0].interval);
}

// Cases without a Dice are never shown as best or worst; few cases are not shown twice.
TEST(TellingCases, AreBestMedianWorst) {
  const std::vector<CaseScores> cases{row_case("....", "...."), row_case("11..", ".11."),
                                      row_case("1...", "...."), row_case("11..", "11..")};
  const auto ranked = telling_cases(cases);
  ASSERT_EQ(ranked.size(), 3U);
  EXPECT_EQ(ranked[0].index, 3U);
  EXPECT_EQ(ranked[1].index, 1U);
  EXPECT_EQ(ranked[2].index, 2U);
  EXPECT_EQ(telling_cases(std::span(cases).subspan(0, 2)).size(), 1U);
  EXPECT_TRUE(telling_cases(std::span(cases).subspan(0, 1)).empty());
}

// Patient A with three cases, B with one: over cases A counts three times.
TEST(Summary, IsOverCasesOrOverTheirGroups) {
  std::vector<CaseScores> cases{row_case("1111", "1111"), row_case("1100", "1100"),
                                row_case("1010", "1010"), row_case("1000", "0001")};
  for (std::size_t i = 0; i < 3; ++i) cases[i].group = "A";
  cases[3].group = "B";
  const Summary over_cases = summarise(cases, 1);
  EXPECT_EQ(over_cases.groups, 2);
  EXPECT_FALSE(over_cases.over_groups);
  EXPECT_DOUBLE_EQ(over_cases.class_mean[0].mean.value(), 0.75);
  EXPECT_EQ(over_cases.class_mean[0].used, 4);
  const Summary over_groups = summarise(cases, 1, true);
  EXPECT_TRUE(over_groups.over_groups);
  EXPECT_DOUBLE_EQ(over_groups.class_mean[0].mean.value(), 0.5);
  EXPECT_EQ(over_groups.class_mean[0].used, 2);
  EXPECT_EQ(drawn_text(over_groups.groups), "2 groups of cases");
  for (CaseScores& one : cases) one.group.clear();
  EXPECT_EQ(summarise(cases, 1).groups, 0);
  EXPECT_FALSE(summarise(cases, 1, true).over_groups);
}

}  // namespace
}  // namespace medurwkv::judge
