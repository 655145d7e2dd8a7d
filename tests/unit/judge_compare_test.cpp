// The test and its correction against SciPy and by definition; comparisons by hand; refusals.
#include "judge/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "judge/more_metrics.h"
#include "judge/report/comparison.h"
#include "judge/report/report.h"
#include "judge/report/series.h"
#include "judge/summary.h"
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

// Ranks 1 and 3 against 2: (4 - 2) / 6. Ties share a rank; zeros have none, or none that counts.
TEST(Wilcoxon, TellsTheSizeOfTheEffect) {
  EXPECT_DOUBLE_EQ(wilcoxon(std::vector<double>{1, -2, 3})->rank_biserial, 2.0 / 6);
  EXPECT_DOUBLE_EQ(wilcoxon(std::vector<double>{-1, 1, 3})->rank_biserial, 3.0 / 6);
  EXPECT_DOUBLE_EQ(wilcoxon(std::vector<double>{0, -1, 2})->rank_biserial, 1.0 / 3);
  EXPECT_DOUBLE_EQ(wilcoxon(std::vector<double>{0, -1, 2}, Zeros::pratt)->rank_biserial, 1.0 / 5);
  EXPECT_EQ(wilcoxon(std::vector<double>{0, 0})->rank_biserial, 0);
}

// Three positive differences: of 8 signs, one is as extreme on each side.
TEST(Wilcoxon, ByHand) {
  const auto got = wilcoxon(std::vector<double>{1, 2, 3});
  EXPECT_EQ(got->rank_biserial, 1);
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
    Report report;
    report.classes = {{"background", {}}, {"lesion", {}}};
    const std::vector<std::string> truths{"1100", "0110", "0000", "1111"};
    const std::vector<std::string> ids{"first", "with, comma and \"quote\"", "empty", "full"};
    for (std::size_t i = 0; i < truths.size(); ++i) {
      report.evaluation.cases.push_back(score_case(ids[i], row(truths[i]), row(predictions[i]), 2));
    }
    return written(name, std::move(report), change);
  }
  // The same for any truths, of one class or two; the cases are called 0, 1, ...
  fs::path evaluated_rows(const std::string& name, const std::vector<std::string>& truths,
                          const std::vector<std::string>& predictions, std::size_t classes) {
    Report report;
    report.classes = {{"background", {}}, {"lesion", {}}, {"polyp", {}}};
    report.classes.resize(classes + 1);
    for (std::size_t i = 0; i < truths.size(); ++i) {
      report.evaluation.cases.push_back(
          score_case(std::to_string(i), row(truths[i]), row(predictions.at(i)), classes + 1));
    }
    return written(name, std::move(report), {});
  }
  fs::path written(const std::string& name, Report report,
                   const std::function<void(Report&)>& change) {
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

// The first two cases are of one patient: the test takes his mean difference, -0.25, in place of
// -0.5 and 0, and the interval draws three groups. An evaluation of an earlier version, whose table
// has no groups, gets them from the other side.
TEST_F(Compare, TakesGroupsInPlaceOfTheirCases) {
  const auto of_one_patient = [](Report& report) {
    for (std::size_t i = 0; i < 2; ++i) report.evaluation.cases[i].group = "patient, 7";
  };
  const std::vector<fs::path> folders{
      evaluated("a", {"1100", "1100", "0000", "1100"}, of_one_patient),
      evaluated("b", {"0110", "1100", "0001", "1111"}, of_one_patient)};
  const auto check = [&](const Comparison& got) {
    EXPECT_EQ(got.groups, (Groups{0, 0, 1, 2}));
    const PairedMetric& dice = got.pairs[0].metrics.at(0);
    EXPECT_EQ(dice.difference.used, 4);
    EXPECT_NEAR(dice.difference.mean.value(), (-0.5 - 1 + 1.0 / 3) / 4, 1e-15);
    const std::vector<double> means{-0.25, -1, 1.0 / 3};
    EXPECT_EQ(dice.test->used, 3);
    EXPECT_NEAR(dice.test->p_value, wilcoxon(means)->p_value, 1e-15);
    const std::vector<std::optional<double>> differences{-0.5, 0, -1, 1.0 / 3};
    const Interval expected = *bootstrap_interval(differences, got.groups, bootstrap_resamples, 0);
    EXPECT_NEAR(dice.difference.interval->low, expected.low, 1e-12);
    EXPECT_NEAR(dice.difference.interval->high, expected.high, 1e-12);
    EXPECT_NE(comparison_text(got).find("3 groups of cases"), std::string::npos);
    EXPECT_EQ(comparison_json(got).at("groups"), 3);
  };
  check(compared(folders));
  std::string earlier;
  for (const std::string& line : split(trim(read_file(folders[0] / "cases.csv")), '\n')) {
    const std::string record = trim(line);
    const std::size_t last = record.rfind(record.ends_with('"') ? ",\"" : ",");
    earlier += record.substr(0, last) + "\r\n";
  }
  write_file(folders[0] / "cases.csv", earlier);
  check(compared(folders));
}

// Dice of a: 1, 0.5, undefined, 2/3; of b: 0.5, 0.5, 0 (hallucinated), 1. a is perfect in the
// third. Pairs: -0.5, 0, -1, +1/3.
TEST_F(Compare, PairsCaseByCase) {
  const Comparison got = compared({evaluated("a", {"1100", "1100", "0000", "1100"}),
                                   evaluated("b", {"0110", "1100", "0001", "1111"})});
  ASSERT_EQ(got.pairs.size(), 1U);
  const PairedMetric& dice = got.pairs[0].metrics.at(0);
  EXPECT_EQ(dice.difference.used, 4);
  EXPECT_EQ(dice.difference.of, 4);
  EXPECT_NEAR(dice.first.mean.value(), (1 + 0.5 + 1 + 2.0 / 3) / 4, 1e-15);
  EXPECT_NEAR(dice.difference.mean.value(), (-0.5 - 1 + 1.0 / 3) / 4, 1e-15);
  EXPECT_EQ(dice.better, 1);
  EXPECT_EQ(dice.worse, 2);
  EXPECT_EQ(dice.equal, 1);
  EXPECT_EQ(dice.test->used, 3);
  ASSERT_EQ(got.pairs[0].changes.size(), 3U);
  EXPECT_EQ(got.pairs[0].changes[0].id, "empty");
  EXPECT_EQ(got.pairs[0].changes[1].id, "first");
  EXPECT_EQ(got.pairs[0].changes[2].id, "full");
  // HD95 is better where it is smaller.
  const PairedMetric& hd95 = got.pairs[0].metrics.at(1);
  EXPECT_EQ(hd95.metric.key, "hd95");
  EXPECT_EQ(hd95.better, 1);
  EXPECT_EQ(hd95.worse, 2);
}

std::string pixels(int ones, int zeros) {
  return std::string(static_cast<std::size_t>(ones), '1') +
         std::string(static_cast<std::size_t>(zeros), '0');
}

// 20 healthy images and 20 with an object of 40 pixels. Both models find 39 of these and one pixel
// too many: Dice 78 / 80 = 0.975. The first also draws a pixel into each healthy image: Dice 0
// there, 0.4875 in the mean. The second does not: 0.975 over the 20 others, and paired
// (20 * 1 + 20 * 0.975) / 40 = 0.9875. The signed-rank test leaves 20 equal differences of one
// sign, which is the sign test: z = sqrt(20), p = erfc(z / sqrt(2)) = erfc(sqrt(10)).
TEST_F(Compare, CountsHallucinationsAgainstWhoMakesThem) {
  std::vector<std::string> truths(20, pixels(0, 60));
  truths.insert(truths.end(), 20, pixels(40, 20));
  std::vector<std::string> worse(20, pixels(1, 59));
  worse.insert(worse.end(), 20, "0" + pixels(40, 19));
  std::vector<std::string> better(20, pixels(0, 60));
  better.insert(better.end(), 20, "0" + pixels(40, 19));
  const fs::path a = evaluated_rows("a", truths, worse, 1);
  const fs::path b = evaluated_rows("b", truths, better, 1);
  const auto mean_dice = [](const fs::path& evaluation) {
    return nlohmann::json::parse(read_file(evaluation / "summary.json"))
        .at("mean_dice")
        .get<double>();
  };
  EXPECT_NEAR(mean_dice(a), 0.4875, 1e-12);
  EXPECT_NEAR(mean_dice(b), 0.975, 1e-12);

  CompareOptions all;
  all.metrics.clear();
  for (const MetricInfo& metric : metrics) all.metrics.emplace_back(metric.key);
  const Comparison forward = compared({a, b}, all);
  const Pair& pair = forward.pairs.at(0);
  EXPECT_NEAR(pair.metrics.at(0).first.mean.value(), 0.4875, 1e-12);
  EXPECT_NEAR(pair.metrics.at(0).second.mean.value(), 0.9875, 1e-12);
  EXPECT_EQ(pair.first_perfect, 0);
  EXPECT_EQ(pair.second_perfect, 20);
  EXPECT_EQ(pair.changes.size(), 20U);
  EXPECT_EQ(pair.changes.at(0).second, 1);
  EXPECT_EQ(pair.dice_differences.size(), 40U);
  for (const PairedMetric& own : pair.metrics) {
    const std::string key = own.metric.key;
    SCOPED_TRACE(key);
    // What is divided by the truth's size has no value on an empty truth, whoever predicts.
    const bool of_truth = key == "recall" || key == "volume_difference";
    EXPECT_EQ(own.difference.used, of_truth ? 20 : 40);
    EXPECT_EQ(own.better, of_truth ? 0 : 20);
    EXPECT_EQ(own.worse, 0);
    EXPECT_EQ(own.equal, 20);
    EXPECT_NEAR(own.test->p_value, of_truth ? 1 : std::erfc(std::sqrt(10.0)), 1e-12);
  }
  // From the other side it is as bad as it is good from this one.
  const Comparison back = compared({b, a}, all);
  EXPECT_EQ(back.pairs.at(0).first_perfect, 20);
  for (std::size_t m = 0; m < metric_count; ++m) {
    const PairedMetric& own = back.pairs.at(0).metrics.at(m);
    const PairedMetric& mirrored = pair.metrics.at(m);
    EXPECT_EQ(own.worse, mirrored.better);
    EXPECT_NEAR(own.difference.mean.value(), -mirrored.difference.mean.value(), 1e-12);
    EXPECT_EQ(own.test->p_value, mirrored.test->p_value);
  }
}

// One case; the truth has a lesion of two pixels and no polyp. Dice of the lesion is 2 / 3 in all
// (one of its two pixels). a draws a polyp, b and c do not. a alone has the mean (2/3 + 0) / 2 =
// 1/3, b alone 2/3. Paired with a, b has (2/3 + 1) / 2 = 5/6; paired with c, 2/3: the polyp is left
// out.
TEST_F(Compare, PairsMeansOverTheSameClasses) {
  const std::vector<std::string> truth{"110000"};
  const Comparison got = compared({evaluated_rows("a", truth, {"100002"}, 2),
                                   evaluated_rows("b", truth, {"100000"}, 2),
                                   evaluated_rows("c", truth, {"010000"}, 2)});
  ASSERT_EQ(got.pairs.size(), 3U);
  const auto means = [&](std::size_t pair) {
    const PairedMetric& dice = got.pairs.at(pair).metrics.at(0);
    return std::pair(dice.first.mean.value(), dice.second.mean.value());
  };
  EXPECT_NEAR(means(0).first, 1.0 / 3, 1e-12);
  EXPECT_NEAR(means(0).second, 5.0 / 6, 1e-12);
  EXPECT_NEAR(means(1).second, 5.0 / 6, 1e-12);
  EXPECT_NEAR(means(2).first, 2.0 / 3, 1e-12);
  EXPECT_NEAR(means(2).second, 2.0 / 3, 1e-12);
  EXPECT_NEAR(got.pairs.at(0).changes.at(0).second, 5.0 / 6, 1e-12);
  EXPECT_TRUE(got.pairs.at(2).changes.empty());
  const PairedMetric& polyp = got.pairs.at(0).metrics.at(2);
  EXPECT_EQ(polyp.name(), "Dice, polyp");
  EXPECT_EQ(polyp.first.mean, 0.0);
  EXPECT_EQ(polyp.second.mean, 1.0);
  EXPECT_EQ(got.pairs.at(2).metrics.at(2).difference.used, 0);
}

// Precision has no value where nothing is predicted. The truth has both classes, so that a, which
// misses the polyp, is not perfect there: the mean of both is over the lesion, 1 and 1/2.
TEST_F(Compare, MissedObjectsAreNotPerfect) {
  CompareOptions precision;
  precision.metrics = {"precision"};
  const std::vector<std::string> truth{"110022"};
  const Comparison got = compared(
      {evaluated_rows("a", truth, {"110000"}, 2), evaluated_rows("b", truth, {"100122"}, 2)},
      precision);
  const PairedMetric& mean = got.pairs.at(0).metrics.at(0);
  EXPECT_EQ(mean.first.mean, 1.0);
  EXPECT_EQ(mean.second.mean, 0.5);
  EXPECT_EQ(got.pairs.at(0).metrics.at(2).difference.used, 0);
  EXPECT_EQ(got.pairs.at(0).first_perfect + got.pairs.at(0).second_perfect, 0);
}

// Objects of 100 pixels. In case i the first model is 2 i pixels off, the second i, too large and
// too small in turn by pairs of cases, so that signed values tell nothing. All 20 signs are alike
// and no two differences are: p = 2 / 2^20 by counting. The means are 2 * 10.5 and 10.5 percent.
TEST_F(Compare, ComparesTheMagnitudesOfBiases) {
  const auto of_size = [](int size) { return pixels(size, 200 - size); };
  std::vector<std::string> first;
  std::vector<std::string> second;
  for (int i = 1; i <= 20; ++i) {
    const int sign = i % 2 == 0 ? 1 : -1;
    first.push_back(of_size(100 + 2 * sign * i));
    second.push_back(of_size(100 - sign * i));
  }
  const std::vector<std::string> truths(20, of_size(100));
  CompareOptions volume;
  volume.metrics = {"volume_difference"};
  const Comparison got = compared(
      {evaluated_rows("a", truths, first, 1), evaluated_rows("b", truths, second, 1)}, volume);
  const PairedMetric& own = got.pairs.at(0).metrics.at(0);
  EXPECT_NEAR(own.first.mean.value(), 0.21, 1e-12);
  EXPECT_NEAR(own.second.mean.value(), 0.105, 1e-12);
  EXPECT_NEAR(own.difference.mean.value(), -0.105, 1e-12);
  EXPECT_LT(own.difference.interval->high, 0);
  EXPECT_EQ(own.better, 20);
  EXPECT_DOUBLE_EQ(own.test->p_value, std::ldexp(1.0, -19));
  EXPECT_EQ(own.name(), "|Volume difference|");
  EXPECT_NE(comparison_text(got).find("|Volume difference|"), std::string::npos);
  EXPECT_NE(comparison_text(got).find("magnitudes are compared"), std::string::npos);
  EXPECT_NE(comparison_html(got, {}).find("magnitudes are compared"), std::string::npos);
  EXPECT_EQ(comparison_json(got).at("pairs").at(0).at("metrics").at(0).at("magnitudes"), true);
}

// A lesion twice as large and a polyp missed half: in the mean over classes errors do not cancel.
TEST_F(Compare, MagnitudesAreTakenBeforeTheMeanOverClasses) {
  CompareOptions volume;
  volume.metrics = {"volume_difference"};
  const std::vector<std::string> truth{"1100002222"};
  const Comparison got = compared({evaluated_rows("a", truth, {"1110002200"}, 2),
                                   evaluated_rows("b", truth, {"1100002220"}, 2)},
                                  volume);
  const PairedMetric& mean = got.pairs.at(0).metrics.at(0);
  EXPECT_EQ(mean.first.mean, 0.5) << "1/2 too large and 1/2 too small";
  EXPECT_EQ(mean.second.mean, 0.125) << "0 and 1/4 too small";
  EXPECT_EQ(mean.better, 1);
}

// Two runs a side. First case: 1 and 0.5 against 0.5 and 0.5. The truth of the third is empty: of
// the first side one run draws, so Dice is 0 and 1; of the other none does: 1 and 1.
TEST_F(Compare, TakesTheMeanOfTheRunsOfASide) {
  const auto series = [&](const std::string& name, const std::vector<std::string>& one,
                          const std::vector<std::string>& other) {
    const fs::path out = folder.path() / name;
    make_folder(out);
    const std::vector<fs::path> runs{evaluated(name + "/seed1", one),
                                     evaluated(name + "/seed2", other)};
    std::vector<SeriesRow> rows;
    for (const auto& [run, seed] : {std::pair{one, "seed1"}, std::pair{other, "seed2"}}) {
      std::vector<CaseScores> cases;
      const std::vector<std::string> truths{"1100", "0110", "0000", "1111"};
      for (std::size_t i = 0; i < truths.size(); ++i) {
        cases.push_back(score_case(std::to_string(i), row(truths[i]), row(run[i]), 2));
      }
      rows.push_back({seed, summarise(cases, 1)});
    }
    write_file(out / "series.json", series_json(rows, {}, "").dump());
    return out;
  };
  const fs::path a =
      series("a", {"1100", "0110", "0000", "1111"}, {"0110", "0110", "0001", "1111"});
  const fs::path b =
      series("b", {"0110", "0110", "0000", "1111"}, {"0110", "0110", "0000", "1111"});
  const Comparison got = compared({a, b});
  EXPECT_EQ(got.evaluations[0].runs, (std::vector<std::string>{"seed1", "seed2"}));
  const PairedMetric& dice = got.pairs.at(0).metrics.at(0);
  EXPECT_NEAR(dice.first.mean.value(), (0.75 + 1 + 0.5 + 1) / 4, 1e-12);
  EXPECT_NEAR(dice.second.mean.value(), (0.5 + 1 + 1 + 1) / 4, 1e-12);
  EXPECT_EQ(dice.better, 1);
  EXPECT_EQ(dice.worse, 1);
  EXPECT_EQ(dice.equal, 2);
  EXPECT_EQ(got.pairs.at(0).first_perfect, 1);
  EXPECT_EQ(got.pairs.at(0).second_perfect, 2);
  // As evaluated: 1 and (0.5 + 1 + 0 + 1) / 4 = 0.625.
  const Statistic& between = got.evaluations[0].between.at("dice");
  EXPECT_NEAR(between.mean.value(), (1 + 0.625) / 2, 1e-12);
  EXPECT_NEAR(between.deviation.value(), 0.375 / std::sqrt(2.0), 1e-12);
  EXPECT_NE(comparison_text(got).find("Dice of the 2 models: 0.8125, standard deviation 0.2652"),
            std::string::npos)
      << comparison_text(got);
  const nlohmann::json json = comparison_json(got);
  EXPECT_EQ(json.at("evaluations").at(0).at("runs").size(), 2U);
  EXPECT_NEAR(
      json.at("evaluations").at(0).at("between_runs").at("dice").at("deviation").get<double>(),
      0.2652, 1e-4);
  EXPECT_NE(comparison_html(got, {}).find("2 models, 0.812 ± 0.265"), std::string::npos);
  // A single evaluation against a series, either way round.
  const fs::path single = evaluated("single", {"1100", "0110", "0000", "1111"});
  EXPECT_NEAR(compared({single, b}).pairs[0].metrics[0].second.mean.value(), 2.5 / 3, 1e-12);
  // Whoever leads out of its folder is refused.
  write_file(a / "series.json",
             R"({"models":[{"name":"../b/seed1"}],"together":[],"over_models":{}})");
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("which is no folder of it"),
            std::string::npos);
  write_file(a / "series.json", "[");
  EXPECT_NE(refusal([&] { load_evaluation(a, "A"); }).find("series.json: is broken"),
            std::string::npos);
}

// Further metrics are compared where both evaluations have them.
TEST_F(Compare, TakesMetricsThatWereAskedFor) {
  const auto with_mcc = [](Report& report) {
    const MoreMetrics more({"mcc"}, {2.5});
    report.evaluation.metrics.insert(report.evaluation.metrics.end(), more.metrics().begin(),
                                     more.metrics().end());
    for (CaseScores& scores : report.evaluation.cases) {
      for (ClassScores& own : scores.classes) own.more = {0.25, matthews(own)};
      scores.class_mean.resize(metric_count + 2);
    }
  };
  const std::vector<std::string> same{"1100", "0110", "0000", "1111"};
  const fs::path a = evaluated("a", same, with_mcc);
  const fs::path b = evaluated("b", {"1000", "0110", "0000", "1111"}, with_mcc);
  CompareOptions options;
  options.metrics = {"mcc", "nsd_at_2.5"};
  const Comparison got = compared({a, b}, options);
  EXPECT_EQ(got.pairs[0].metrics[0].name(), "MCC");
  EXPECT_EQ(got.pairs[0].metrics[0].worse, 1);
  EXPECT_EQ(got.pairs[0].metrics[1].name(), "NSD at 2.5");
  EXPECT_EQ(got.pairs[0].metrics[1].first.mean, 0.25);
  EXPECT_NE(refusal([&] {
              compared({a, evaluated("plain", same)}, options);
            }).find("the metric mcc is not in"),
            std::string::npos);
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
  EXPECT_NE(with("truth",
                 [](Report& r) {
                   r.evaluation.cases[1] =
                       score_case(r.evaluation.cases[1].id, row("0111"), row("0111"), 2);
                 })
                .find("true pixels of lesion in the case"),
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
  const auto with_cases = [&](const std::string& text) {
    write_file(a / "cases.csv", text);
    return refusal([&] { load_evaluation(a, "A"); });
  };
  EXPECT_NE(with_cases("case,label\r\n").find("no column true_positive"), std::string::npos);
  EXPECT_NE(with_cases("case,label,true_positive,false_negative\r\n").find("no column dice"),
            std::string::npos);
  // Without its size it is not known whether a truth is empty.
  const std::string first = "first,4,1,1,lesion,2,";
  for (const char* count : {"", "-1", "1.5", "1e99"}) {
    std::string broken = cases;
    broken.replace(broken.find(first), first.size(), concat("first,4,1,1,lesion,", count, ","));
    EXPECT_NE(with_cases(broken).find("line 2: expected a number of pixels"), std::string::npos)
        << count;
  }
}

TEST_F(Compare, WritesTextJsonAndAPage) {
  Comparison got = compared({evaluated("a", {"1100", "1100", "0000", "1100"}),
                             evaluated("b", {"0110", "1100", "0001", "1111"})});
  got.command = "medurwkv compare a b";
  EXPECT_NE(comparison_text(got).find("first "), std::string::npos);
  const nlohmann::json json = comparison_json(got);
  EXPECT_EQ(json.at("format"), 1);
  EXPECT_EQ(json.at("pairs").at(0).at("changes").at(0).at("case"), "empty");
  EXPECT_EQ(json.at("pairs").at(0).at("metrics").at(0).at("wilcoxon").at("exact"), true);
  const std::string html = comparison_html(
      got, {{0, "first", {"\x89PNG", "\x89PNG"}, {"A", "B"}, {"as A sees it", "as B sees it"}}});
  test::expect_good_page(html);
  EXPECT_NE(html.find("a &lt;model&gt;"), std::string::npos);
  // b draws into the empty image, a does not; said in all three.
  EXPECT_NE(html.find("Counted as perfect: A 1, B 0"), std::string::npos);
  EXPECT_NE(comparison_text(got).find("only the other predicts it: A 1, B 0"), std::string::npos);
  EXPECT_EQ(json.at("pairs").at(0).at("counted_as_perfect").at("first"), 1);
}

}  // namespace
}  // namespace medurwkv::judge
