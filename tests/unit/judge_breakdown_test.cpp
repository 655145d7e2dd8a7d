// A set's cases in parts, by hand; Wilson's intervals against statsmodels; the table for a paper.
#include "judge/breakdown.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/text.h"
#include "judge/report/report.h"
#include "judge/report/result_table.h"
#include "support/html.h"

namespace medurwkv::judge {
namespace {

data::LabelMap row(const std::string& text) {
  data::LabelMap out{static_cast<std::int64_t>(text.size()), 1, {}};
  for (const char c : text) out.labels.push_back(static_cast<std::uint8_t>(c - '0'));
  return out;
}

CaseScores scored(const std::string& id, const std::string& truth, const std::string& prediction,
                  const std::vector<std::string>& strata = {}) {
  CaseScores out = score_case(id, row(truth), row(prediction), 3);
  out.strata = strata;
  return out;
}

// statsmodels.stats.proportion.proportion_confint(part, whole, method="wilson")
TEST(WilsonInterval, IsStatsmodels) {
  const auto check = [](std::int64_t part, std::int64_t whole, double low, double high) {
    const auto got = wilson_interval(part, whole);
    ASSERT_TRUE(got);
    EXPECT_NEAR(got->low, low, 1e-12);
    EXPECT_NEAR(got->high, high, 1e-12);
  };
  check(8, 10, 0.49016247153664183, 0.9433178485456247);
  check(0, 5, 0, 0.43448246478317487);
  check(5, 5, 0.5655175352168252, 1);
  check(133, 150, 0.825997250162395, 0.928025760859626);
  EXPECT_FALSE(wilson_interval(0, 0));
}

// Class 1: found, missed, clean, hallucinated. Class 2 is in the first image, found. Any class:
// found in the first, missed in the second, clean in the third, hallucinated in the fourth.
TEST(ImageLevels, CountWholeImages) {
  const std::vector<CaseScores> cases{scored("a", "1002", "1002"), scored("b", "1000", "0000"),
                                      scored("c", "0000", "0000"), scored("d", "0000", "0100")};
  const std::vector<ImageLevel> got = image_levels(cases);
  ASSERT_EQ(got.size(), 3U);
  for (const ImageLevel& own : {got[0], got[1]}) {
    EXPECT_EQ(own.found, 1);
    EXPECT_EQ(own.missed, 1);
    EXPECT_EQ(own.clean, 1);
    EXPECT_EQ(own.hallucinated, 1);
    EXPECT_EQ(own.sensitivity(), 0.5);
    EXPECT_EQ(own.specificity(), 0.5);
  }
  EXPECT_EQ(got[0].label, 0);
  EXPECT_EQ(got[1].label, 1);
  EXPECT_EQ(got[2].sensitivity(), 1.0);
  EXPECT_EQ(got[2].clean, 3);
  EXPECT_TRUE(image_levels({}).empty());
  const std::vector<CaseScores> one{score_case("a", row("10"), row("00"), 2)};
  ASSERT_EQ(image_levels(one).size(), 1U) << "with one class there is no other to join";
  EXPECT_FALSE(image_levels(one)[0].specificity());
}

// By kind the means over cases of Dice: 1 and 0.5 of the benign, 0 of the malignant. All are of one
// site.
TEST(Strata, AreMeansOfTheirCases) {
  const std::vector<CaseScores> cases{scored("a", "1100", "1100", {"benign", "here"}),
                                      scored("b", "1100", "0110", {"benign", "here"}),
                                      scored("c", "1100", "0011", {"malignant", "here"})};
  const std::vector<Stratum> got = strata_of(cases, {"kind", "site"}, 0);
  ASSERT_EQ(got.size(), 2U) << "a kind that all share tells nothing";
  EXPECT_EQ(got[0].by, "kind");
  EXPECT_EQ(got[0].name, "benign");
  EXPECT_EQ(got[0].cases, 2);
  EXPECT_DOUBLE_EQ(got[0].class_mean[0].mean.value(), 0.75);
  EXPECT_TRUE(got[0].class_mean[0].interval);
  EXPECT_EQ(got[1].name, "malignant");
  EXPECT_DOUBLE_EQ(got[1].class_mean[0].mean.value(), 0);
}

// Objects of 1 to 6 of 10 pixels, found but for one pixel each: the recall of thirds is that of
// their cases. Order does not matter; a case without the class is in none.
TEST(SizeGroups, AreThirdsByTheShareOfTheImage) {
  std::vector<CaseScores> cases;
  for (const std::size_t size : {4U, 1U, 6U, 3U, 2U, 5U}) {
    cases.push_back(scored(std::to_string(size),
                           std::string(size, '1') + std::string(10 - size, '0'),
                           std::string(size - 1, '1') + std::string(11 - size, '0')));
  }
  cases.push_back(scored("none", "0000000000", "1000000000"));
  const std::vector<SizeGroup> got = size_groups(cases, 0);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_DOUBLE_EQ(got[0].least, 0.1);
  EXPECT_DOUBLE_EQ(got[0].most, 0.2);
  EXPECT_DOUBLE_EQ(got[2].least, 0.5);
  EXPECT_EQ(got[1].cases, 2);
  EXPECT_DOUBLE_EQ(got[0].metrics[3].mean.value(), (0 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(got[2].metrics[3].mean.value(), (4.0 / 5 + 5.0 / 6) / 2);
  cases.resize(5);
  EXPECT_TRUE(size_groups(cases, 0).empty()) << "too few to cut into thirds";
}

TEST(ObjectSizeGroups, AreThirds) {
  ObjectCounts counts;
  for (const std::int64_t pixels : {9, 1, 5, 2, 8, 4}) {
    counts.objects.push_back({.pixels = pixels, .found = pixels > 4, .touched = pixels > 1});
  }
  const std::vector<ObjectSizeGroup> got = object_size_groups(counts);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].least, 1);
  EXPECT_EQ(got[0].most, 2);
  EXPECT_EQ(got[0].found, 0);
  EXPECT_EQ(got[0].touched, 1);
  EXPECT_EQ(got[1].found, 1);
  EXPECT_EQ(got[2].found, 2);
}

TEST(Confusion, CountsPixels) {
  Confusion got;
  data::LabelMap truth = row("001122");
  truth.labels[0] = 255;
  add_confusion(truth, row("001222"), 3, got);
  add_confusion(row("1"), row("0"), 3, got);
  EXPECT_EQ(got, (Confusion{{1, 0, 0}, {1, 1, 1}, {0, 0, 2}}));
}

Report report_of(std::vector<CaseScores> cases) {
  Report out;
  out.classes = {{"background", {}}, {"left_atrium & {co}", {}}, {"b|c", {}}};
  out.provenance.part = "test";
  out.evaluation.strata = {"kind"};
  out.evaluation.cases = std::move(cases);
  out.evaluation.summary = summarise(out.evaluation.cases, 1);
  return out;
}

TEST(ResultTable, IsReadyForAPaper) {
  const Report report =
      report_of({scored("a", "1120", "1120", {"x"}), scored("b", "1100", "1000", {"y"})});
  const std::string latex = result_table(report, TableFormat::latex);
  EXPECT_EQ(split(latex, '\n')[0], "\\begin{tabular}{llrrrr}");
  EXPECT_NE(
      latex.find("left\\_atrium \\& \\{co\\} & Dice & 0.833 & 0.236 & [0.667, 1.000] & 2 \\\\\n"),
      std::string::npos)
      << latex;
  EXPECT_NE(latex.find("95 \\% interval"), std::string::npos);
  EXPECT_NE(latex.find("b|c & Dice & 1.000 & - & - & 1 \\\\\n"), std::string::npos);
  EXPECT_NE(latex.find("mean over classes & HD95 (px) & "), std::string::npos);
  EXPECT_TRUE(latex.ends_with("\\bottomrule\n\\end{tabular}\n"));
  const std::string markdown = result_table(report, TableFormat::markdown);
  EXPECT_EQ(split(markdown, '\n')[1], "| --- | --- | ---: | ---: | ---: | ---: |");
  EXPECT_NE(markdown.find("| b\\|c | Dice | 1.000 | - | - | 1 |\n"), std::string::npos);
  const std::string csv = result_table(report, TableFormat::csv);
  EXPECT_EQ(split(csv, '\n')[0], "class,metric,mean,deviation,low,high,n\r");
  EXPECT_NE(csv.find("left_atrium & {co},dice,0.8333333333333333,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("b|c,dice,1,,,,1\r\n"), std::string::npos);
}

TEST(ResultTable, OfASeriesHasItsModels) {
  const Report first = report_of({scored("a", "1100", "1100"), scored("b", "1100", "1000")});
  const Report second = report_of({scored("a", "1100", "0110"), scored("b", "1100", "1000")});
  const std::string got =
      result_table({{"seed1", first.evaluation.summary}, {"seed2", second.evaluation.summary}}, {},
                   TableFormat::csv);
  EXPECT_NE(got.find("seed2,dice,0.58333333333333"), std::string::npos) << got;
  EXPECT_NE(got.find("over models,dice,0.708333333333333"), std::string::npos);
}

// What was asked for and what tells something has a folded section; the rest of the page is as long
// as without.
TEST(ReportPage, FoldsWhatNotEverybodyNeeds) {
  std::vector<CaseScores> cases;
  for (int i = 0; i < 8; ++i) {
    cases.push_back(scored(std::to_string(i), i == 0 ? "0000" : "1120", i == 1 ? "0000" : "1220",
                           {i < 4 ? "<x>" : "y"}));
  }
  Report report = report_of(std::move(cases));
  report.evaluation.objects.resize(2);
  report.evaluation.objects[0].in_truth = 7;
  add_confusion(row("1120"), row("1220"), 3, report.evaluation.confusion);
  const std::string html = report_html(report);
  test::expect_good_page(html);
  for (const char* const summary :
       {"Single objects", "Healthy against diseased, by image", "Which class was taken for which",
        "By kind of case", "By size of what is to be found", "Every figure of 8 cases",
        "4 in 8 cases"}) {
    EXPECT_NE(html.find(concat("<details><summary>", summary, "</summary>")), std::string::npos)
        << summary;
  }
  EXPECT_NE(html.find("&lt;x&gt;"), std::string::npos);
  EXPECT_EQ(html.find("Whole volumes"), std::string::npos);
  EXPECT_EQ(html.find("Dashed line"), std::string::npos) << "there is no guess";
  EXPECT_NE(html.find("Solid line"), std::string::npos);
}

}  // namespace
}  // namespace medurwkv::judge
