// Statistics over cases, by hand computation and by laws.
#include "judge/summary.h"

#include <gtest/gtest.h>

#include <cmath>

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
  const auto interval = bootstrap_interval(values, 2000, 1);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.5 - 0.049, 0.006);
  EXPECT_NEAR(interval->high, 0.5 + 0.049, 0.006);
}

TEST(Bootstrap, IsAFunctionOfTheSeed) {
  std::vector<std::optional<double>> values;
  for (int i = 0; i < 50; ++i) values.emplace_back(std::sin(i));
  EXPECT_EQ(bootstrap_interval(values, 500, 3)->low, bootstrap_interval(values, 500, 3)->low);
  EXPECT_NE(bootstrap_interval(values, 500, 3)->low, bootstrap_interval(values, 500, 4)->low);
  // Undefined values are no zeros.
  auto with_gaps = values;
  with_gaps.insert(with_gaps.begin(), std::nullopt);
  EXPECT_EQ(bootstrap_interval(values, 500, 3)->low, bootstrap_interval(with_gaps, 500, 3)->low);
  EXPECT_FALSE(bootstrap_interval(std::vector<std::optional<double>>{0.5}, 500, 3));
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

}  // namespace
}  // namespace medurwkv::judge
