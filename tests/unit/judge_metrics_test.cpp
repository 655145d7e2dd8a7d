// Scores of one case, against hand computations and an oracle that follows the definitions pixel by
// pixel.
#include "judge/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "judge/surface.h"

namespace medurwkv::judge {
namespace {

// Digits are labels, '.' is background, '?' is ignored.
data::LabelMap labels_of(const std::vector<std::string>& rows) {
  data::LabelMap map{
      static_cast<std::int64_t>(rows.front().size()), static_cast<std::int64_t>(rows.size()), {}};
  for (const std::string& row : rows) {
    for (const char c : row) {
      map.labels.push_back(c == '.'   ? std::uint8_t{0}
                           : c == '?' ? ignore_label
                                      : static_cast<std::uint8_t>(c - '0'));
    }
  }
  return map;
}

ClassScores score(const std::vector<std::string>& truth, const std::vector<std::string>& prediction,
                  Spacing spacing = {}) {
  return score_case("case", labels_of(truth), labels_of(prediction), 2, {spacing, {}})
      .classes.front();
}

// Two 2 x 2 squares sharing one column: TP 2, FP 2, FN 2, TN 6 of 12 pixels. Every pixel is border;
// half of them coincide, half are 1 away.
TEST(ScoreCase, OverlappingSquares) {
  const ClassScores s = score({".11.", ".11.", "...."}, {"..11", "..11", "...."});
  EXPECT_EQ(s.true_positive, 2);
  EXPECT_EQ(s.false_positive, 2);
  EXPECT_EQ(s.false_negative, 2);
  EXPECT_EQ(s.true_negative, 6);
  EXPECT_DOUBLE_EQ(s.dice.value(), 0.5);
  EXPECT_DOUBLE_EQ(s.iou.value(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(s.precision.value(), 0.5);
  EXPECT_DOUBLE_EQ(s.recall.value(), 0.5);
  EXPECT_DOUBLE_EQ(s.specificity.value(), 0.75);
  EXPECT_DOUBLE_EQ(s.hd95.value(), 1);
  EXPECT_DOUBLE_EQ(s.assd.value(), 0.5);
  EXPECT_EQ(s.volume_difference, 0.0);
  EXPECT_EQ(s.nsd, 1.0);                              // within 2 pixels
  EXPECT_DOUBLE_EQ(s.boundary_iou.value(), 1.0 / 3);  // the bands, 1 pixel wide, are the squares
}

// Class 1: TP 2, FP 2, FN 2, so 1/2. Class 2: predicted alone, so 0. Class 3: in neither, left out.
// The pixel that the truth ignores counts nowhere.
TEST(MeanDice, IsTheMeanOverClassesThatAreThere) {
  const data::LabelMap truth = labels_of({".11?", ".11.", "...."});
  const data::LabelMap prediction = labels_of({"..12", "..1.", "1122"});
  EXPECT_DOUBLE_EQ(mean_dice("case", truth, prediction, 4).value(), 0.25);
  EXPECT_EQ(mean_dice("case", truth, prediction, 4),
            score_case("case", truth, prediction, 4).dice());
  EXPECT_EQ(mean_dice("case", labels_of({".."}), labels_of({".."}), 2), std::nullopt);
}

// Distances 0, 1, ..., 20 from the prediction and 0 from the truth: up to 2 are 4 of 22, up to 5.5
// are 7 of 22. With pixels of 0.5 x 2, 2 pixels are 2 long: 0, 0.5, ..., 2 are 6 of 22.
TEST(ScoreCase, NsdCountsWhatIsWithinTheTolerance) {
  const data::LabelMap truth = labels_of({"1" + std::string(20, '.')});
  const data::LabelMap prediction = labels_of({std::string(21, '1')});
  const auto nsd = [&](const Lengths& lengths) {
    return score_case("c", truth, prediction, 2, lengths).classes.front().nsd.value();
  };
  EXPECT_DOUBLE_EQ(nsd({}), 4.0 / 22);
  EXPECT_DOUBLE_EQ(nsd({{}, 5.5}), 7.0 / 22);
  EXPECT_DOUBLE_EQ(nsd({{0.5, 2}, {}}), 6.0 / 22);
  EXPECT_DOUBLE_EQ(nsd({{}, 0}), 2.0 / 22);
}

// 3 x 0.1 is a little more than 0.3 in binary: the tolerance holds up to rounding, and no further.
TEST(ScoreCase, ToleranceHoldsUpToRounding) {
  const auto column = [](std::int64_t at) {
    data::LabelMap out{8, 1, std::vector<std::uint8_t>(8, 0)};
    out.labels[static_cast<std::size_t>(at)] = 1;
    return out;
  };
  for (const auto& [side, tolerance] : {std::pair{0.1, 0.3}, {0.7, 2.1}, {1.1, 3.3}}) {
    const auto nsd = [&](double within) {
      return score_case("c", column(1), column(4), 2, {{side, side}, within})
          .classes.front()
          .nsd.value();
    };
    EXPECT_EQ(nsd(tolerance), 1) << side;
    EXPECT_EQ(nsd(tolerance * (1 - 1e-6)), 0) << side;
  }
}

// 5 x 5 in the corner of an 8 x 6 image (diagonal 10: the bands are 1 wide, 16 pixels) against the
// same without its last row (14 pixels of 5 x 4). The bands share the left and right columns' first
// 4 rows and the top row's middle: 11 pixels; together they have 16 + 14 - 11.
TEST(ScoreCase, BoundaryIouComparesInnerBands) {
  std::vector<std::string> truth(6, "11111...");
  truth[5] = "........";
  std::vector<std::string> prediction = truth;
  prediction[4] = "........";
  EXPECT_DOUBLE_EQ(score(truth, prediction).boundary_iou.value(), 11.0 / 19);
  EXPECT_DOUBLE_EQ(score(truth, prediction).volume_difference.value(), -5.0 / 25);
}

// 2 % of 150 x 200's diagonal, 250, are 5 pixels: of a 60 x 60 square a band of 60^2 - 50^2.
TEST(ScoreCase, BoundaryIouIsAsWideAsTheImageSays) {
  EXPECT_EQ(boundary_reach(200, 150), 5);
  EXPECT_EQ(boundary_reach(3, 4), 1);
  EXPECT_EQ(boundary_reach(175, 0), 4);  // 3.5: to the even one
  data::LabelMap truth{200, 150, std::vector<std::uint8_t>(30000, 0)};
  data::LabelMap prediction = truth;
  for (std::size_t y = 0; y < 60; ++y) {
    for (std::size_t x = 0; x < 60; ++x) {
      truth.labels[(y + 40) * 200 + x + 70] = 1;
      const bool in_band = x < 5 || y < 5 || x >= 55 || y >= 55;
      prediction.labels[(y + 40) * 200 + x + 70] = in_band ? 1 : 0;
    }
  }
  // The frame's own band is the whole frame: it is 5 wide, and eroded by 11 x 11 nothing is left.
  const ClassScores s = score_case("c", truth, prediction, 2).classes.front();
  EXPECT_EQ(s.boundary_iou, 1.0);
}

TEST(ScoreCase, PerfectPrediction) {
  const ClassScores s = score({"....", ".11.", ".11."}, {"....", ".11.", ".11."});
  EXPECT_EQ(s.dice, 1.0);
  EXPECT_EQ(s.iou, 1.0);
  EXPECT_EQ(s.hd95, 0.0);
  EXPECT_EQ(s.assd, 0.0);
}

// Side by side without overlap: distances are to the neighbour, not to the diagonal.
TEST(ScoreCase, TouchingObjects) {
  const ClassScores s = score({"1...", "1..."}, {".1..", ".1.."});
  EXPECT_EQ(s.dice, 0.0);
  EXPECT_EQ(s.precision, 0.0);
  EXPECT_EQ(s.recall, 0.0);
  EXPECT_DOUBLE_EQ(s.hd95.value(), 1);
  EXPECT_DOUBLE_EQ(s.assd.value(), 1);
}

// One pixel each, 3 columns and 4 rows apart: 5 pixels; with 2 x 0.5 spacing sqrt(36 + 4).
TEST(ScoreCase, DisjointSinglePixels) {
  const std::vector<std::string> truth{"1...", "....", "....", "....", "...."};
  const std::vector<std::string> prediction{"....", "....", "....", "....", "...1"};
  EXPECT_DOUBLE_EQ(score(truth, prediction).hd95.value(), 5);
  EXPECT_DOUBLE_EQ(score(truth, prediction).assd.value(), 5);
  EXPECT_DOUBLE_EQ(score(truth, prediction, {2, 0.5}).hd95.value(), std::sqrt(40.0));
}

// The directions differ: from the prediction's 21 pixels 0, 1, ..., 20 away, the 95th percentile
// lies at position 19 exactly; from the truth it is 0. The larger one counts, and the pooled mean
// is 210 / 22.
TEST(ScoreCase, Hd95TakesTheLargerDirectionAndInterpolates) {
  const std::string truth = "1" + std::string(20, '.');
  const ClassScores s = score({truth}, {std::string(21, '1')});
  EXPECT_DOUBLE_EQ(s.hd95.value(), 19);
  EXPECT_DOUBLE_EQ(s.assd.value(), 210.0 / 22);
  EXPECT_DOUBLE_EQ(score({std::string(21, '1')}, {truth}).hd95.value(), 19);
  // 0, 1, 2: position 1.9.
  EXPECT_DOUBLE_EQ(score({"1.."}, {"111"}).hd95.value(), 1.9);
}

TEST(ScoreCase, BothEmptyIsLeftOut) {
  const ClassScores s = score({"...", "..."}, {"...", "..."});
  EXPECT_FALSE(s.dice || s.iou || s.precision || s.recall || s.hd95 || s.assd);
  EXPECT_FALSE(s.nsd || s.boundary_iou || s.volume_difference);
  EXPECT_EQ(s.specificity, 1.0);
  EXPECT_FALSE(s.in_truth() || s.in_prediction());
}

// An image of 4 x 3 pixels has the diagonal 5.
TEST(ScoreCase, OneEmptyCostsTheDiagonal) {
  const std::vector<std::string> empty{"....", "....", "...."};
  const std::vector<std::string> object{".1..", "....", "...."};
  const ClassScores missed = score(object, empty);
  EXPECT_EQ(missed.dice, 0.0);
  EXPECT_EQ(missed.iou, 0.0);
  EXPECT_EQ(missed.recall, 0.0);
  EXPECT_EQ(missed.precision, std::nullopt);
  EXPECT_DOUBLE_EQ(missed.hd95.value(), 5);
  EXPECT_DOUBLE_EQ(missed.assd.value(), 5);
  EXPECT_EQ(missed.nsd, 0.0);
  EXPECT_EQ(missed.boundary_iou, 0.0);
  EXPECT_EQ(missed.volume_difference, -1.0);
  const ClassScores hallucinated = score(empty, object, {2, 2});
  EXPECT_EQ(hallucinated.dice, 0.0);
  EXPECT_EQ(hallucinated.recall, std::nullopt);
  EXPECT_EQ(hallucinated.precision, 0.0);
  EXPECT_DOUBLE_EQ(hallucinated.hd95.value(), 10);
  EXPECT_EQ(hallucinated.nsd, 0.0);
  EXPECT_EQ(hallucinated.volume_difference, std::nullopt);
}

// A filled 5 x 5 image against its middle pixel. If the image's edge were no border, the truth
// would have none; it has its 16 frame pixels: distances 2 (4 of them), sqrt 5 (8), sqrt 8 (4).
TEST(ScoreCase, TheImageEdgeIsABorder) {
  const std::vector<std::string> full(5, "11111");
  const ClassScores s = score(full, {".....", ".....", "..1..", ".....", "....."});
  const double sum = 4 * 2 + 8 * std::sqrt(5.0) + 4 * std::sqrt(8.0);
  EXPECT_DOUBLE_EQ(s.assd.value(), (sum + 2) / 17);
  EXPECT_DOUBLE_EQ(s.hd95.value(), std::sqrt(8.0));
  EXPECT_EQ(s.specificity, std::nullopt);
}

// Ignored pixels leave counts and borders of both maps.
TEST(ScoreCase, IgnoredPixelsCountNowhere) {
  const ClassScores s = score({"11??", "...?"}, {"1111", "...."});
  EXPECT_EQ(s.true_positive, 2);
  EXPECT_EQ(s.false_positive, 0);
  EXPECT_EQ(s.true_negative, 3);
  EXPECT_EQ(s.dice, 1.0);
  EXPECT_EQ(s.hd95, 0.0);
  // Predicted only where ignored: nothing predicted.
  EXPECT_EQ(score({"1.??"}, {"..11"}).precision, std::nullopt);
  // Everything ignored: nothing to say.
  const ClassScores none = score({"??"}, {"11"});
  EXPECT_FALSE(none.dice || none.specificity || none.hd95);
}

// One class against the rest; a class in neither map takes no part in the mean over classes.
TEST(ScoreCase, SeveralClasses) {
  const CaseScores s = score_case("c", labels_of({"112.", "112."}), labels_of({"122.", "122."}), 4);
  ASSERT_EQ(s.classes.size(), 3U);
  EXPECT_EQ(s.classes[0].label, 1);
  EXPECT_DOUBLE_EQ(s.classes[0].dice.value(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(s.classes[1].dice.value(), 4.0 / 6);
  EXPECT_EQ(s.classes[2].dice, std::nullopt);
  EXPECT_DOUBLE_EQ(s.dice().value(), 4.0 / 6);
  EXPECT_EQ(s.merged_dice, 1.0);
}

TEST(ScoreCase, RefusesWhatCannotBeJudged) {
  EXPECT_THROW(score({"1."}, {"1.."}), Error);
  EXPECT_THROW(score({"3."}, {"1."}), Error);
  EXPECT_THROW(score({"1."}, {"1."}, {0, 1}), Error);
  EXPECT_THROW(score({"1."}, {"1."}, {1, std::nan("")}), Error);
  EXPECT_THROW(check_lengths({{}, -1}), Error);
  // A prediction outside the classes is wrong, not an error.
  EXPECT_EQ(score({"1."}, {"9."}).dice, 0.0);
}

// The oracle: everything from its definition, distances by trying all pairs.
struct Oracle {
  const data::LabelMap& truth;
  const data::LabelMap& prediction;
  Spacing spacing;

  bool inside(const data::LabelMap& map, std::int64_t x, std::int64_t y) const {
    if (x < 0 || y < 0 || x >= map.width || y >= map.height) return false;
    const auto i = static_cast<std::size_t>(y * map.width + x);
    return truth.labels[i] != ignore_label && map.labels[i] == 1;
  }
  std::vector<std::pair<double, double>> border_points(const data::LabelMap& map) const {
    std::vector<std::pair<double, double>> out;
    for (std::int64_t y = 0; y < map.height; ++y) {
      for (std::int64_t x = 0; x < map.width; ++x) {
        const bool enclosed = inside(map, x - 1, y) && inside(map, x + 1, y) &&
                              inside(map, x, y - 1) && inside(map, x, y + 1);
        if (inside(map, x, y) && !enclosed) {
          out.emplace_back(static_cast<double>(x) * spacing.x, static_cast<double>(y) * spacing.y);
        }
      }
    }
    return out;
  }
  static std::vector<double> distances(const std::vector<std::pair<double, double>>& from,
                                       const std::vector<std::pair<double, double>>& to) {
    std::vector<double> out;
    for (const auto& p : from) {
      double best = 1e300;
      for (const auto& q : to) {
        best = std::min(best, std::hypot(p.first - q.first, p.second - q.second));
      }
      out.push_back(best);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  static double percentile95(const std::vector<double>& sorted) {
    const double position = 0.95 * static_cast<double>(sorted.size() - 1);
    const auto low = static_cast<std::size_t>(std::floor(position));
    const auto high = static_cast<std::size_t>(std::ceil(position));
    const double weight = position - std::floor(position);
    return sorted[low] * (1 - weight) + sorted[high] * weight;
  }
};

TEST(ScoreCase, AgreesWithTheDefinitionsOnRandomMasks) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const Random random({seed, 77});
    const auto width = static_cast<std::int64_t>(1 + random.below(0, 24));
    const auto height = static_cast<std::int64_t>(1 + random.below(1, 24));
    const Spacing spacing{random.uniform(2, 0.2, 3), random.uniform(3, 0.2, 3)};
    const double density = random.uniform(4, 0.02, 0.98);
    data::LabelMap truth{width, height, {}};
    data::LabelMap prediction{width, height, {}};
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(width * height); ++i) {
      const double draw = random.uniform(10 + 2 * i);
      truth.labels.push_back(draw < density ? 1 : draw > 0.99 ? ignore_label : 0);
      prediction.labels.push_back(random.uniform(11 + 2 * i) < density ? 1 : 0);
    }
    const ClassScores s = score_case("r", truth, prediction, 2, {spacing, {}}).classes.front();
    const Oracle oracle{truth, prediction, spacing};
    const auto a = oracle.border_points(truth);
    const auto b = oracle.border_points(prediction);
    EXPECT_EQ(a.empty(), !s.in_truth());
    EXPECT_EQ(b.empty(), !s.in_prediction());
    if (a.empty() || b.empty()) continue;
    const auto ab = Oracle::distances(a, b);
    const auto ba = Oracle::distances(b, a);
    double sum = 0;
    for (const double d : ab) sum += d;
    for (const double d : ba) sum += d;
    EXPECT_NEAR(s.assd.value(), sum / static_cast<double>(ab.size() + ba.size()), 1e-9);
    EXPECT_NEAR(s.hd95.value(), std::max(Oracle::percentile95(ab), Oracle::percentile95(ba)), 1e-9);
    ++compared;
  }
  EXPECT_GT(compared, 90);
}

}  // namespace
}  // namespace medurwkv::judge
