// Metrics beside those of the profile `default`: by hand, against their definitions computed anew,
// and centrelines against scikit-image's.
#include "judge/more_metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "judge/probabilities.h"
#include "judge/skeleton.h"

namespace medurwkv::judge {
namespace {

data::LabelMap row(const std::string& text) {
  data::LabelMap out{static_cast<std::int64_t>(text.size()), 1, {}};
  for (const char c : text) {
    out.labels.push_back(c == 'i' ? ignore_label : static_cast<std::uint8_t>(c - '0'));
  }
  return out;
}

Counts counts(std::int64_t tp, std::int64_t fp, std::int64_t fn, std::int64_t tn) {
  Counts out;
  out.true_positive = tp;
  out.false_positive = fp;
  out.false_negative = fn;
  out.true_negative = tn;
  return out;
}

// (6 * 3 - 1 * 2) / sqrt(7 * 8 * 4 * 5), the example of the article on the coefficient.
TEST(Matthews, ByHand) {
  EXPECT_NEAR(matthews(counts(6, 1, 2, 3)).value(), 16 / std::sqrt(1120.0), 1e-15);
  EXPECT_NEAR(matthews(counts(5, 0, 0, 7)).value(), 1, 1e-15);
  EXPECT_NEAR(matthews(counts(0, 7, 5, 0)).value(), -1, 1e-15);
  EXPECT_FALSE(matthews(counts(0, 0, 3, 7)));
  EXPECT_FALSE(matthews(counts(0, 0, 0, 10)));
  EXPECT_FALSE(matthews(counts(10, 0, 0, 0)));
  // The product of these four sums is beyond 2^64.
  const std::int64_t many = 1000000000;
  EXPECT_NEAR(matthews(counts(many, many, many, many)).value(), 0, 1e-15);
  EXPECT_NEAR(matthews(counts(3 * many, many, many, 3 * many)).value(), 0.5, 1e-12);
}

// Of the pairs of a pixel inside and one outside: 0.9 beats both, 0.4 beats one and ties with none,
// 0.2 ties with one.
TEST(AreaUnderCurve, ByHand) {
  const std::vector<float> probabilities{0.9F, 0.4F, 0.2F, 0.2F, 0.6F};
  EXPECT_DOUBLE_EQ(area_under_curve(row("11100"), 1, probabilities).value(), 3.5 / 6);
  EXPECT_DOUBLE_EQ(area_under_curve(row("111i0"), 1, probabilities).value(), 1.0 / 3);
  EXPECT_FALSE(area_under_curve(row("11111"), 1, probabilities));
  EXPECT_FALSE(area_under_curve(row("00000"), 1, probabilities));
  EXPECT_FALSE(area_under_curve(row("iiiii"), 1, probabilities));
}

TEST(AreaUnderCurve, IsTheShareOfPairsInOrder) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Random random(seed, "auc");
    data::LabelMap truth{60, 1, {}};
    std::vector<float> probabilities;
    for (std::uint64_t i = 0; i < 60; ++i) {
      const auto kind = random.below(2 * i, 4);
      truth.labels.push_back(kind == 3 ? ignore_label : static_cast<std::uint8_t>(kind));
      probabilities.push_back(static_cast<float>(random.below(2 * i + 1, 12)) / 11);
    }
    double won = 0;
    double pairs = 0;
    for (std::size_t a = 0; a < 60; ++a) {
      for (std::size_t b = 0; b < 60; ++b) {
        if (truth.labels[a] != 2 || truth.labels[b] == 2 || truth.labels[b] == ignore_label)
          continue;
        ++pairs;
        won += probabilities[a] > probabilities[b]    ? 1
               : probabilities[a] == probabilities[b] ? 0.5
                                                      : 0;
      }
    }
    EXPECT_NEAR(area_under_curve(truth, 2, probabilities).value(), won / pairs, 1e-14) << seed;
  }
}

TEST(BrierScore, ByHand) {
  const std::vector<float> probabilities{0.75F, 0.5F, 0.25F};
  EXPECT_DOUBLE_EQ(brier_score(row("102"), 1, probabilities).value(), (0.0625 + 0.25 + 0.0625) / 3);
  EXPECT_DOUBLE_EQ(brier_score(row("1ii"), 1, probabilities).value(), 0.0625);
  EXPECT_FALSE(brier_score(row("iii"), 1, probabilities));
}

struct Drawn {
  Mask mask, line;
};
/// '#' is on the centreline, 'o' inside beside it.
Drawn drawn(const std::vector<std::string>& rows) {
  Drawn out{{rows.front().size(), rows.size(), {}}, {rows.front().size(), rows.size(), {}}};
  for (const std::string& text : rows) {
    for (const char c : text) {
      out.mask.inside.push_back(c == '.' ? 0 : 1);
      out.line.inside.push_back(c == '#' ? 1 : 0);
    }
  }
  return out;
}

// Smoothed noise and what scikit-image 0.26's `thin` makes of it.
TEST(Skeleton, IsScikitImagesThin) {
  const std::vector<std::vector<std::string>> pictures{{
                                                           "o##...#ooo##.##oo....#....",
                                                           "#o.....###o....#o....#....",
                                                           "#o.....o#o................",
                                                           "#o......#o......o.........",
                                                           "o#o............ooooooo....",
                                                           "o#o...........ooooooooo...",
                                                           "o#o..........ooo#oo###oo..",
                                                           "o#o..........oooo##ooooo..",
                                                           "#o...........ooo#oooooo...",
                                                           "...ooo......o###oooo......",
                                                           "..o###oo.ooo#ooooooo......",
                                                           "..oooo######o.oooooo......",
                                                       },
                                                       {
                                                           "..........#......ooooooooo",
                                                           ".....o....#......ooo####oo",
                                                           "....o#o..o#oo....oo#oo..#o",
                                                           "....o#oooo#ooo...o#oo...#o",
                                                           "....oo#oo###oo..o#oo.....#",
                                                           "oooooo###ooooo..ooo.......",
                                                           "ooooo#oooooo..............",
                                                           "oo###oooo.................",
                                                           "o#oooooo..............oooo",
                                                           "#..oooo........oo.....oooo",
                                                           "...............#o.....o#oo",
                                                           "..............#oo.....oooo",
                                                       }};
  for (const auto& picture : pictures) {
    const auto [mask, line] = drawn(picture);
    EXPECT_EQ(skeleton(mask).inside, line.inside);
  }
}

TEST(Skeleton, LeavesSomethingOfEveryPart) {
  for (std::size_t side = 1; side < 8; ++side) {
    const Mask square{side, side, std::vector<std::uint8_t>(side * side, 1)};
    const Mask got = skeleton(square);
    EXPECT_EQ(std::count(got.inside.begin(), got.inside.end(), 1), 1) << side;
  }
  const Mask line{9, 1, std::vector<std::uint8_t>(9, 1)};
  EXPECT_EQ(skeleton(line).inside, line.inside);
}

// A line of ten pixels, predicted eight of them and three beside it: recall 8/10, precision 8/11.
TEST(CentrelineDice, ByHand) {
  Mask truth{20, 1, std::vector<std::uint8_t>(20, 0)};
  Mask prediction = truth;
  for (std::size_t x = 5; x < 15; ++x) truth.inside[x] = 1;
  for (std::size_t x = 7; x < 18; ++x) prediction.inside[x] = 1;
  const double precision = 8.0 / 11;
  const double recall = 8.0 / 10;
  EXPECT_DOUBLE_EQ(centreline_dice(truth, prediction),
                   2 * precision * recall / (precision + recall));
  EXPECT_EQ(centreline_dice(truth, truth), 1);
  Mask apart{20, 1, std::vector<std::uint8_t>(20, 0)};
  apart.inside[0] = 1;
  EXPECT_EQ(centreline_dice(truth, apart), 0);
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(MoreMetrics, AreAskedForByNames) {
  EXPECT_EQ(more_metric_keys({}, true), std::vector<std::string>{});
  EXPECT_EQ(more_metric_keys({"pq", "mcc", "pq"}, false), (std::vector<std::string>{"mcc", "pq"}));
  EXPECT_EQ(more_metric_keys({"objects"}, false).size(), 9U);
  EXPECT_EQ(more_metric_keys({"all"}, true).size(), more_metrics.size());
  EXPECT_EQ(more_metric_keys({"all"}, false).size(), more_metrics.size() - 2);
  EXPECT_NE(refusal([] { more_metric_keys({"cldise"}, true); }).find("did you mean cldice"),
            std::string::npos);
  EXPECT_NE(refusal([] { more_metric_keys({"auc"}, false); }).find("needs probabilities"),
            std::string::npos);
}

// One case with two classes: every column stands where its name does.
TEST(MoreMetrics, AreColumnsOfACase) {
  const data::LabelMap truth = row("1110000020");
  const data::LabelMap prediction = row("0111000000");
  std::vector<float> probabilities(30, 0.25F);
  for (std::size_t i = 10; i < 13; ++i) probabilities[i] = 0.5F;
  const Lengths lengths{.spacing = {0.1, 0.1}, .tolerance = 0.1, .more_tolerances = {0.05, 0.3}};
  const std::vector<std::string> keys = more_metric_keys({"all"}, true);
  const MoreMetrics more(keys, lengths.more_tolerances);
  JudgedCase judged("case", truth, prediction, 3, lengths, false,
                    {.probabilities = probabilities, .objects = {}});
  const CaseScores scores = score_case(judged, &more);
  std::vector<Metric> columns = default_metrics();
  columns.insert(columns.end(), more.metrics().begin(), more.metrics().end());
  ASSERT_EQ(scores.class_mean.size(), columns.size());
  const auto value = [&](const std::string& key, std::size_t label) {
    for (std::size_t m = 0; m < columns.size(); ++m) {
      if (columns[m].key == key) return value_of(scores.classes[label - 1], m);
    }
    ADD_FAILURE() << key;
    return std::optional<double>();
  };
  // All pixels of a row are border. Truth 0 to 2, prediction 1 to 3: two pixels at both ends are
  // one off.
  EXPECT_DOUBLE_EQ(value("nsd_at_0.05", 1).value(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(value("nsd", 1).value(), 1);
  EXPECT_DOUBLE_EQ(value("nsd_at_0.3", 1).value(), 1);
  EXPECT_EQ(value("nsd_at_0.3", 2), 0.0) << "missed";
  EXPECT_NEAR(value("mcc", 1).value(), (2.0 * 6 - 1) / (3 * 7), 1e-12);
  EXPECT_FALSE(value("mcc", 2)) << "nothing predicted";
  EXPECT_DOUBLE_EQ(value("cldice", 1).value(), 2.0 / 3);
  EXPECT_EQ(value("cldice", 2), 0.0);
  EXPECT_EQ(value("auc", 1), 1.0);
  EXPECT_EQ(value("auc", 2), 0.5);
  EXPECT_DOUBLE_EQ(value("brier", 1).value(), (3 * 0.25 + 7 * 0.0625) / 10);
  EXPECT_EQ(value("object_f1", 1), 0.0) << "2 of 4 pixels";
  EXPECT_EQ(value("aji", 1), 0.5);
  EXPECT_EQ(value("object_recall", 2), 0.0);
  EXPECT_FALSE(value("object_precision", 2));
  EXPECT_NEAR(value("object_hausdorff", 1).value(), 0.1, 1e-12);
  EXPECT_NEAR(value("object_hausdorff", 2).value(), std::hypot(1.0, 0.1), 1e-12);
}

TEST(MoreMetrics, EveryColumnIsKnownByItsKey) {
  for (const MoreMetric& one : more_metrics) EXPECT_EQ(metric_of_key(one.key)->name, one.name);
  EXPECT_EQ(metric_of_key("dice")->name, "Dice");
  EXPECT_EQ(metric_of_key("nsd_at_1.5")->name, "NSD at 1.5");
  EXPECT_FALSE(metric_of_key("case"));
}

}  // namespace
}  // namespace medurwkv::judge
