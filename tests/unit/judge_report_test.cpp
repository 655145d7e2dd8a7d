// The report's files: numbers where the header says they are, every foreign text escaped, nothing
// fetched from elsewhere.
#include "judge/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "core/files.h"
#include "core/markup.h"
#include "core/text.h"
#include "judge/report/histogram.h"
#include "support/html.h"

namespace medurwkv::judge {
namespace {

data::LabelMap row(const std::string& text) {
  data::LabelMap out{static_cast<std::int64_t>(text.size()), 1, {}};
  for (const char c : text) out.labels.push_back(static_cast<std::uint8_t>(c - '0'));
  return out;
}

// Three cases of two classes (Dice by hand in the tests), with names that try to break out.
Report sample_report() {
  Report report;
  report.classes = {{"background", {}}, {"a<b>&\"c\"", {255, 0, 0}}, {"edge, \"quoted\"", {}}};
  Evaluation& evaluation = report.evaluation;
  evaluation.cases = {
      score_case("<script>alert(1)</script>", row("110022"), row("110022"), 3),
      score_case("comma,and \"quote\"", row("110000"), row("011000"), 3),
      score_case("empty", row("000000"), row("000000"), 3),
  };
  evaluation.summary = summarise(evaluation.cases, 9);
  ConstantGuess guess;
  guess.ellipse = {0.25, 0.5};
  guess.fitted_on = 7;
  guess.dice = {0.5, 0.25, std::nullopt};
  guess.summary = statistic(guess.dice);
  guess.classes = {{Ellipse{0.25, 0.5}, {0.5, 0.5, 0.0}},
                   {std::nullopt, {0.0, std::nullopt, std::nullopt}}};
  guess.class_mean = {0.25, 0.5, 0.0};
  guess.class_mean_summary = statistic(guess.class_mean);
  evaluation.guess = guess;
  Provenance& from = report.provenance;
  from.models.resize(1);
  from.models[0].file = "runs/<x>/best.model";
  from.models[0].network = "med-urwkv";
  from.models[0].content_sha256 = std::string(64, 'a');
  from.subject = "best.model <x>";
  from.data_sha256 = std::string(64, 'd');
  from.split_sha256 = std::string(64, 'e');
  from.data_root = "data";
  from.split_file = "split.json";
  from.part = "test";
  from.command = "medurwkv evaluate 'a & b'";
  report.examples = {{"best <case>", "alt \"text\"", "\x89PNG"}};
  report.failures = {{"missed", "a missed case", "\x89PNG"}};
  report.training = TrainingCurves{"<svg/>", "two epochs"};
  evaluation.profiles = {default_table(evaluation.cases), default_table(evaluation.cases)};
  evaluation.profiles[1].profile = "medpy";
  evaluation.calibration.emplace();
  evaluation.calibration->add(row("01"), row("01"), std::vector<float>{0.9F, 0.2F, 0.1F, 0.8F});
  return report;
}

TEST(Html, EscapesMarkupAndRepairsBytes) {
  EXPECT_EQ(html_escape("a<b & \"c\" 'd'>"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
  EXPECT_EQ(html_escape("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  // A stray byte, an overlong slash, a surrogate, a cut sequence, a control character.
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(html_escape("a\xff"
                        "b"),
            "a" + bad + "b");
  EXPECT_EQ(html_escape("\xc0\xaf"), bad + bad);
  EXPECT_EQ(html_escape("\xed\xa0\x80"), bad + bad + bad);
  EXPECT_EQ(html_escape("\xe2\x82"), bad + bad);
  EXPECT_EQ(html_escape(std::string("\x00\x1b", 2)), bad + bad);
}

// The vectors of RFC 4648, section 10, and the last two digits of the alphabet.
TEST(Base64, AgreesWithTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff"), "+/8=");
}

// The case means: 1; class 1 alone 0.5 (class 2 is in neither map); none. So 0.75 over 2 of 3.
TEST(SummaryJson, HasTheDocumentedKeys) {
  const nlohmann::json json = summary_json(sample_report());
  EXPECT_EQ(json.at("format"), 1);
  EXPECT_EQ(json.at("profile"), "default");
  EXPECT_EQ(json.at("part"), "test");
  EXPECT_EQ(json.at("seed"), 9);
  EXPECT_EQ(json.at("cases"), 3);
  EXPECT_DOUBLE_EQ(json.at("mean_dice"), 0.75);
  EXPECT_DOUBLE_EQ(json.at("constant_guess"), 0.25);
  EXPECT_DOUBLE_EQ(json.at("constant_guess_details").at("dice").at("mean"), 0.375);
  EXPECT_TRUE(json.at("constant_guess_details").at("classes").at(1).at("semi_axis_x").is_null());
  EXPECT_EQ(json.at("constant_guess_details").at("dice").at("used"), 2);
  EXPECT_EQ(json.at("model").at("content_sha256"), std::string(64, 'a'));
  EXPECT_EQ(json.at("data").at("sha256"), std::string(64, 'd'));
  EXPECT_TRUE(json.at("split").at("same_as_training").is_null());
  EXPECT_EQ(json.at("unit"), "px");
  const nlohmann::json& second = json.at("classes").at(1);
  EXPECT_EQ(second.at("label"), 2);
  EXPECT_EQ(second.at("in_truth"), 1);
  EXPECT_EQ(second.at("metrics").at("dice").at("used"), 1);
  EXPECT_EQ(second.at("metrics").at("dice").at("of"), 3);
  EXPECT_TRUE(second.at("metrics").at("dice").at("deviation").is_null());
  EXPECT_EQ(json.at("class_mean").size(), metric_count);
  EXPECT_EQ(json.at("class_mean").at("dice").at("interval"), json.at("mean_dice_interval"));
  EXPECT_DOUBLE_EQ(json.at("tolerance"), 2);
  EXPECT_TRUE(json.at("ensemble").is_null());
  EXPECT_TRUE(json.at("predictions").is_null());
  EXPECT_EQ(json.at("profiles").at(1).at("profile"), "medpy");
  EXPECT_DOUBLE_EQ(json.at("profiles").at(1).at("means").at("dice"), 0.75);
  EXPECT_NEAR(json.at("calibration").at("all").at("ece").get<double>(), 0.15, 1e-7);
  EXPECT_EQ(json.at("calibration").at("foreground").at("pixels"), 1);
}

// One pixel of the background, right with 0.9, and one of the foreground, right with 0.8: the error
// over both is 0.15, of the foreground 0.2. Before, 0.7 and 0.95: 0.175 and 0.05.
TEST(Temperature, ReportsCalibrationBeforeAndAfter) {
  Report report = sample_report();
  EXPECT_TRUE(temperature_sentences(report).empty());
  nlohmann::json json = summary_json(report).at("calibration");
  EXPECT_TRUE(json.at("before").is_null());
  EXPECT_EQ(json.at("temperature"), 1);
  report.provenance.models[0].temperature = 1.5;
  report.evaluation.uncalibrated.emplace();
  report.evaluation.uncalibrated->add(row("01"), row("01"),
                                      std::vector<float>{0.7F, 0.05F, 0.3F, 0.95F});
  json = summary_json(report).at("calibration");
  EXPECT_EQ(json.at("temperature"), 1.5);
  EXPECT_NEAR(json.at("before").at("all").at("ece").get<double>(), 0.175, 1e-7);
  EXPECT_NEAR(json.at("before").at("foreground").at("ece").get<double>(), 0.05, 1e-7);
  EXPECT_NEAR(json.at("all").at("ece").get<double>(), 0.15, 1e-7);
  const std::vector<std::string> expected{
      "The temperature 1.500 takes the calibration error from 0.1750 to 0.1500 (foreground: from "
      "0.0500 to 0.2000).",
      "It rises over foreground pixels: by this figure the probabilities were better without the "
      "temperature."};
  EXPECT_EQ(temperature_sentences(report), expected);
  for (const std::string& sentence : expected) {
    EXPECT_NE(report_html(report).find(sentence), std::string::npos);
  }
  EXPECT_NE(report_text(report).find(expected[0] + " " + expected[1] + "\n"), std::string::npos);
  std::swap(report.evaluation.calibration, report.evaluation.uncalibrated);
  EXPECT_NE(report_text(report).find("It rises over all pixels: "), std::string::npos);
  // An ensemble's is the geometric mean.
  report.provenance.models.resize(2);
  report.provenance.models[0].temperature = 2;
  report.provenance.models[1].temperature = 8;
  EXPECT_DOUBLE_EQ(summary_json(report).at("calibration").at("temperature"), 4);
}

TEST(SummaryJson, TellsWhetherTheSplitIsTheTrainings) {
  Report report = sample_report();
  report.provenance.models[0].split_sha256 = report.provenance.split_sha256;
  EXPECT_EQ(summary_json(report).at("split").at("same_as_training"), true);
  report.provenance.models[0].split_sha256 = std::string(64, 'f');
  EXPECT_EQ(summary_json(report).at("split").at("same_as_training"), false);
  EXPECT_NE(report_html(report).find("trained on another split"), std::string::npos);
}

TEST(CasesCsv, QuotesAndLeavesUndefinedEmpty) {
  const auto lines = split(cases_csv(sample_report()), '\n');
  ASSERT_EQ(lines.size(), 8U);  // the header, three cases of two classes, the end
  EXPECT_EQ(lines[3],
            "\"comma,and \"\"quote\"\"\",6,1,1,\"a<b>&\"\"c\"\"\",1,1,1,3,0.5,"
            "0.3333333333333333,0.5,0.5,0.75,0.95,0.5,1,0.3333333333333333,0,0.25,0.5,\r");
  EXPECT_EQ(lines[6], "empty,6,1,2,\"edge, \"\"quoted\"\"\",0,0,0,6,,,,,1,,,,,,,,\r");
}

TEST(ReportHtml, IsBalancedEscapedAndSelfContained) {
  const std::string html = report_html(sample_report());
  test::expect_good_page(html);
  EXPECT_EQ(html.find("<x>"), std::string::npos);
  EXPECT_EQ(html.find("a<b>"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)"), std::string::npos);
  EXPECT_NE(html.find("alt=\"alt &quot;text&quot;\" src=\"data:image/png;base64,iVBORw==\""),
            std::string::npos);
  EXPECT_NE(html.find("2 of 3"), std::string::npos);
  // A picture of 2 x 480 pixels is not drawn as wide as its column.
  EXPECT_NE(html.find("max-height: 30rem"), std::string::npos);
  EXPECT_NE(html.find("medurwkv evaluate &#39;a &amp; b&#39;"), std::string::npos);
}

TEST(ReportHtml, WarnsOfAModelNoBetterThanTheGuess) {
  Report report = sample_report();
  EXPECT_EQ(report_html(report).find("no better than"), std::string::npos);
  report.evaluation.guess->class_mean_summary.mean = 0.99;
  EXPECT_NE(report_html(report).find("no better than an ellipse for each class"),
            std::string::npos);
  report.evaluation.guess->classes.clear();
  EXPECT_EQ(report_html(report).find("no better than"), std::string::npos);
  report.evaluation.guess->summary.mean = 0.99;
  EXPECT_NE(report_html(report).find("no better than one ellipse"), std::string::npos);
}

// 0, 0.049 | 0.05 | 1, 1: bars of heights 2, 1, 2.
TEST(Histogram, PutsValuesIntoTheirBars) {
  const std::string svg = histogram_svg({{0, 0.049, 0.05, 1, 1}, 0.05, std::nullopt, ""});
  EXPECT_NE(svg.find("0.00 to 0.05: 2. 0.05 to 0.10: 1. 0.95 to 1.00: 2."), std::string::npos);
  std::size_t bars = 0;
  for (std::size_t at = svg.find("<rect"); at != std::string::npos;
       at = svg.find("<rect", at + 1)) {
    ++bars;
  }
  EXPECT_EQ(bars, 3U);
  test::expect_balanced(svg);
  test::expect_balanced(histogram_svg({}));
}

// A line per profile, unit, class and metric.
TEST(ProfilesCsv, IsLong) {
  const auto lines = split(profiles_csv(sample_report()), '\n');
  ASSERT_EQ(lines.size(), 2 + 2 * 3 * 2 * metric_count);
  EXPECT_EQ(lines[0], "profile,unit,name,weight,label,class,metric,value\r");
  EXPECT_EQ(lines[1 + 2 * metric_count],
            "default,image,\"comma,and \"\"quote\"\"\",1,1,\"a<b>&\"\"c\"\"\",dice,0.5\r");
}

TEST(FailedCases, AreMissedAndHallucinated) {
  Evaluation evaluation;
  evaluation.cases = {score_case("a", row("1100"), row("1100"), 3),
                      score_case("b", row("1100"), row("2200"), 3)};
  const auto failed = failed_cases(evaluation);
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_EQ(failed[0].index, 1U);
  EXPECT_TRUE(failed[0].missed);
  EXPECT_EQ(failed[1].label, 2);
  EXPECT_FALSE(failed[1].missed);
}

// Warnings and remarks on the constant guess have the same words on the page and in the terminal.
TEST(ReportText, SaysWhatThePageSays) {
  struct Case {
    std::string split, part, trained_on, remark;
  };
  const std::vector<Case> cases{
      {"", "all", "", "the cases may include training cases"},
      {"split.json", "all", "s", "holds the cases the model was trained on"},
      {"split.json", "train", "s", "holds the cases the model was trained on"},
      {"split.json", "test", "other", "was trained on another split file"},
      {"split.json", "test", "s", ""}};
  for (const Case& one : cases) {
    Report report = sample_report();
    report.provenance.split_file = one.split;
    report.provenance.split_sha256 = one.split.empty() ? "" : "s";
    report.provenance.part = one.part;
    report.provenance.models[0].split_sha256 = one.trained_on;
    const std::string page = report_html(report);
    const std::string text = report_text(report);
    for (const Case& other : cases) {
      if (other.remark.empty()) continue;
      const bool expected = other.remark == one.remark;
      EXPECT_EQ(page.find(other.remark) != std::string::npos, expected) << other.remark;
      EXPECT_EQ(text.find(other.remark) != std::string::npos, expected) << other.remark << text;
    }
  }
  Report report = sample_report();
  ASSERT_GT(report.classes.size(), 2U);
  EXPECT_NE(report_text(report).find("mean Dice over classes, 3 of 3 cases"), std::string::npos);
  EXPECT_NE(report_html(report).find("mean Dice over classes, 3 of 3 cases"), std::string::npos);
  report.evaluation.guess->class_mean_summary.mean = 0.99;
  EXPECT_NE(report_text(report).find("no better than an ellipse for each class"),
            std::string::npos);
  report.evaluation.guess.reset();
  EXPECT_NE(report_text(report).find("no training masks with foreground"), std::string::npos);
}

TEST(ReportText, ShowsUsedCounts) {
  const std::string text = report_text(sample_report());
  EXPECT_NE(text.find("2 of 3"), std::string::npos);
  EXPECT_NE(text.find("mean Dice             0.7500"), std::string::npos);
  EXPECT_NE(text.find("best constant guess   0.2500"), std::string::npos);
}

TEST(WriteReport, WritesTheNamedFiles) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "medurwkv_judge_report";
  std::filesystem::remove_all(folder);
  Report report = sample_report();
  report.provenance.models[0].file = "not utf-8 \xff";
  write_report(report, folder);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const auto names = report_files();
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
    ++files;
  }
  EXPECT_EQ(files, report_files().size());
  EXPECT_TRUE(nlohmann::json::accept(read_file(folder / "summary.json")));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace medurwkv::judge
