// The test and its correction against SciPy and by definition; comparisons by hand; refusals.
#include "judge/compare.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "judge/report.h"
#include "support/html.h"
#include "support/paths.h"

namespace medurwkv::judge {
namespace {

namespace fs = std::filesystem;

// Expected values: scripts/make-golden-wilcoxon.
TEST(Wilcoxon, IsSciPys) {
  const std::string text = read_file(test::source_folder() / "tests/unit/data/wilcoxon.csv");
  std::vector<std::string> lines = split(trim(text), '\n');
  lines.erase(lines.begin());
  ASSERT_GT(lines.size(), 100U);
  for (const std::string& line : lines) {
    SCOPED_TRACE(line.substr(0, 60));
    const std::vector<std::string> cells = split(line, ',');
    std::vector<double> differences;
    for (const std::string& one : split(cells.at(3), ' ')) differences.push_back(std::stod(one));
    const auto got = wilcoxon(differences, cells[0] == "pratt" ? Zeros::pratt : Zeros::wilcox);
    ASSERT_TRUE(got);
    EXPECT_DOUBLE_EQ(got->statistic, std::stod(cells[1]));
    EXPECT_NEAR(got->p_value, std::stod(cells[2]), 1e-12);
  }
}

// Three positive differences: of 8 signs, one is as extreme on each side.
TEST(Wilcoxon, ByHand) {
  const auto got = wilcoxon(std::vector<double>{1, 2, 3});
  EXPECT_DOUBLE_EQ(got->p_value, 0.25);
  EXPECT_EQ(got->statistic, 0);
  EXPECT_EQ(wilcoxon(std::vector<double>{0, 0})->p_value, 1);
  EXPECT_FALSE(wilcoxon({}));
}

// 0.01, 0.03, 0.04 of three: times 3, 2 and 1, none below one before it.
TEST(Holm, MakesTheSmallestPay) {
  const std::vector<double> got = holm(std::vector<double>{0.04, 0.01, 0.03});
  EXPECT_DOUBLE_EQ(got[1], 0.03);
  EXPECT_DOUBLE_EQ(got[2], 0.06);
  EXPECT_DOUBLE_EQ(got[0], 0.06);
  EXPECT_EQ(holm(std::vector<double>{0.9, 0.8})[0], 1);
  EXPECT_TRUE(holm({}).empty());
}

data::LabelMap row(const std::string& text) {
  data::LabelMap out{static_cast<std::int64_t>(text.size()), 1, {}};
  for (const char c : text) out.labels.push_back(static_cast<std::uint8_t>(c - '0'));
  return out;
}

class Compare : public testing::Test {
 protected:
  // Judges rows of predictions of one class against fixed truths.
  fs::path evaluated(const std::string& name, const std::vector<std::string>& predictions,
                     const std::function<void(Report&)>& change = {}) {
    const std::vector<std::string> truths{"1100", "0110", "0000", "1111"};
    const std::vector<std::string> ids{"first", "with, comma and \"quote\"", "empty", "full"};
    Report report;
    report.classes = {{"background", {}}, {"lesion", {}}};
    for (std::size_t i = 0; i < truths.size(); ++i) {
      report.evaluation.cases.push_back(score_case(ids[i], row(truths[i]), row(predictions[i]), 2));
    }
    report.provenance.subject = name + " <model>";
    report.provenance.part = "test";
    report.provenance.data_sha256 = "d";
    report.provenance.split_sha256 = "s";
    if (change) change(report);
    report.evaluation.summary = summarise(report.evaluation.cases, 1);
    write_report(report, folder.path() / name);
    return folder.path() / name;
  }
  static std::string refusal(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  static Comparison compared(const std::vector<fs::path>& folders,
                             const CompareOptions& options = {}) {
    std::vector<LoadedEvaluation> loaded;
    for (const fs::path& one : folders) {
      loaded.push_back(
          load_evaluation(one, std::string(1, static_cast<char>('A' + loaded.size()))));
    }
    return compare(std::move(loaded), options);
  }

  test::TemporaryFolder folder;
};

// Dice of a: 1, 0.5, undefined, 2/3; of b: 0.5, 0.5, 0 (hallucinated), 1. Pairs: -0.5, 0, +1/3.
TEST_F(Compare, PairsWhatBothHave) {
  const Comparison got = compared({evaluated("a", {"1100", "1100", "0000", "1100"}),
                                   evaluated("b", {"0110", "1100", "0001", "1111"})});
  ASSERT_EQ(got.pairs.size(), 1U);
  const PairedMetric& dice = got.pairs[0].metrics.at(0);
  EXPECT_EQ(dice.difference.used, 3);
  EXPECT_EQ(dice.difference.of, 4);
  EXPECT_DOUBLE_EQ(dice.first.mean.value(), (1 + 0.5 + 2.0 / 3) / 3);
  EXPECT_NEAR(dice.difference.mean.value(), (-0.5 + 1.0 / 3) / 3, 1e-15);
  EXPECT_EQ(dice.better, 1);
  EXPECT_EQ(dice.worse, 1);
  EXPECT_EQ(dice.equal, 1);
  EXPECT_EQ(dice.test->used, 2);
  ASSERT_EQ(got.pairs[0].changes.size(), 2U);
  EXPECT_EQ(got.pairs[0].changes[0].id, "first");
  EXPECT_EQ(got.pairs[0].changes[1].id, "full");
  // HD95 is better where it is smaller.
  const PairedMetric& hd95 = got.pairs[0].metrics.at(1);
  EXPECT_EQ(metrics.at(hd95.metric).key, std::string("hd95"));
  EXPECT_EQ(hd95.better, 1);
  EXPECT_EQ(hd95.worse, 1);
}

TEST_F(Compare, CorrectsOverAllPairs) {
  const Comparison got = compared({evaluated("a", {"1100", "0110", "0000", "1111"}),
                                   evaluated("b", {"1000", "0100", "0000", "1110"}),
                                   evaluated("c", {"0000", "0000", "0000", "0000"})});
  ASSERT_EQ(got.pairs.size(), 3U);
  std::vector<double> plain;
  std::vector<double> corrected;
  for (const Pair& pair : got.pairs) {
    for (const PairedMetric& own : pair.metrics) {
      plain.push_back(own.test->p_value);
      corrected.push_back(own.corrected.value());
    }
  }
  EXPECT_EQ(plain.size(), 9U);
  EXPECT_EQ(corrected, holm(plain));
}

TEST_F(Compare, RefusesWhatIsNotAlike) {
  const std::vector<std::string> same{"1100", "0110", "0000", "1111"};
  const fs::path a = evaluated("a", same);
  const auto with = [&](const std::string& name, const std::function<void(Report&)>& change) {
    return refusal([&] { compared({a, evaluated(name, same, change)}); });
  };
  EXPECT_NE(
      with("data", [](Report& r) { r.provenance.data_sha256 = "x"; }).find("the data's SHA-256 of"),
      std::string::npos);
  EXPECT_NE(with("split", [](Report& r) { r.provenance.split_sha256 = ""; })
                .find("the split's SHA-256 of"),
            std::string::npos);
  EXPECT_NE(with("part", [](Report& r) { r.provenance.part = "val"; }).find("the part of"),
            std::string::npos);
  EXPECT_NE(with("spacing", [](Report& r) { r.provenance.lengths.spacing.x = 2; })
                .find("the pixel spacing of"),
            std::string::npos);
  EXPECT_NE(with("classes", [](Report& r) { r.classes[1].name = "polyp"; })
                .find("the list of classes of"),
            std::string::npos);
  EXPECT_NE(with("cases", [](Report& r) { r.evaluation.cases.pop_back(); })
                .find("the number of cases of"),
            std::string::npos);
  EXPECT_NE(with("ids", [](Report& r) { r.evaluation.cases[0].id = "other"; }).find("case 1 of"),
            std::string::npos);
  EXPECT_NE(refusal([&] { compared({a}); }).find("two evaluations"), std::string::npos);
  CompareOptions unknown;
  unknown.metrics = {"dise"};
  EXPECT_NE(refusal([&] {
              compared({a, a}, unknown);
            }).find("did you mean dice"),
            std::string::npos);
}

TEST_F(Compare, NamesBrokenFolders) {
  const fs::path a = evaluated("a", {"1100", "0110", "0000", "1111"});
  EXPECT_NE(refusal([&] { load_evaluation(folder.path(), "A"); }).find("holds no summary.json"),
            std::string::npos);
  const std::string summary = read_file(a / "summary.json");
  write_file(a / "summary.json", "{");
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("summary.json: is broken"),
            std::string::npos);
  auto newer = nlohmann::json::parse(summary);
  newer["format"] = 2;
  write_file(a / "summary.json", newer.dump());
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("format 2, this program reads 1"),
            std::string::npos);
  write_file(a / "summary.json", summary);
  const std::string cases = read_file(a / "cases.csv");
  write_file(a / "cases.csv", cases.substr(0, cases.size() - 20));
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("cases.csv: line 5"), std::string::npos);
  write_file(a / "cases.csv", "case,label\r\n");
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("no column dice"), std::string::npos);
}

TEST_F(Compare, WritesTextJsonAndAPage) {
  Comparison got = compared({evaluated("a", {"1100", "1100", "0000", "1100"}),
                             evaluated("b", {"0110", "1100", "0001", "1111"})});
  got.command = "medurwkv compare a b";
  EXPECT_NE(comparison_text(got).find("first "), std::string::npos);
  const nlohmann::json json = comparison_json(got);
  EXPECT_EQ(json.at("format"), 1);
  EXPECT_EQ(json.at("pairs").at(0).at("changes").at(0).at("case"), "first");
  EXPECT_EQ(json.at("pairs").at(0).at("metrics").at(0).at("wilcoxon").at("exact"), true);
  const std::string html = comparison_html(
      got, {{0, "first", {"\x89PNG", "\x89PNG"}, {"A", "B"}, {"as A sees it", "as B sees it"}}});
  test::expect_good_page(html);
  EXPECT_NE(html.find("a &lt;model&gt;"), std::string::npos);
}

}  // namespace
}  // namespace medurwkv::judge
