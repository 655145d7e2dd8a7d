// The profiles by hand computation, each on pairs where it differs from the default; `make
// test-peers` holds them against the packages.
#include "judge/profiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"

namespace medurwkv::judge {
namespace {

data::LabelMap labels_of(const std::vector<std::string>& rows) {
  data::LabelMap map{
      static_cast<std::int64_t>(rows.front().size()), static_cast<std::int64_t>(rows.size()), {}};
  for (const std::string& row : rows) {
    for (const char c : row)
      map.labels.push_back(static_cast<std::uint8_t>(c == '.' ? 0 : c - '0'));
  }
  return map;
}

struct Pair {
  std::vector<std::string> truth, prediction;
};

// Images by themselves.
ProfileTable judged(const std::string& profile, const std::vector<Pair>& pairs,
                    const Lengths& lengths = {}, std::int64_t batch = 8) {
  std::vector<data::Case> cases(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) cases[i].id = "case " + std::to_string(i);
  ProfileJudge judge(profile, cases, 2, batch);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    judge.add(cases[i], labels_of(pairs[i].truth), labels_of(pairs[i].prediction), lengths);
  }
  return judge.finish();
}

std::optional<double> value(const ProfileTable& table, const std::string& metric,
                            std::size_t unit) {
  const auto at = std::find(table.metrics.begin(), table.metrics.end(), metric);
  return table.values[0][static_cast<std::size_t>(at - table.metrics.begin())].at(unit);
}

const Pair both{{"11.."}, {".11."}};
const Pair missed{{"11.."}, {"...."}};
const Pair hallucinated{{"...."}, {".1.."}};
const Pair nothing{{"...."}, {"...."}};
// From the prediction 0, 1, ..., 20; from the truth 0.
const Pair ruler{{"1" + std::string(20, '.')}, {std::string(21, '1')}};

// Pooled: 0, 0, 1, ..., 20; position 0.95 * 21 = 19.95 between 18 + 1 and 19 + 1 (the 20th and
// 21st).
TEST(Medpy, PoolsDistances) {
  const ProfileTable table = judged("medpy", {ruler, missed, hallucinated, nothing});
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), 18.95);
  EXPECT_DOUBLE_EQ(value(table, "assd", 0).value(), 210.0 / 22);
  EXPECT_EQ(value(table, "hd95", 1), std::nullopt);
  EXPECT_EQ(value(table, "dice", 1), 0.0);
  EXPECT_EQ(value(table, "precision", 1), 0.0);
  EXPECT_EQ(value(table, "volume_difference", 1), -1.0);
  EXPECT_EQ(value(table, "dice", 2), 0.0);
  EXPECT_EQ(value(table, "volume_difference", 2), std::nullopt);
  EXPECT_EQ(value(table, "dice", 3), 1.0);
  EXPECT_EQ(value(table, "iou", 3), 1.0);
  EXPECT_EQ(table.used("hd95"), 1);
  EXPECT_EQ(table.used("dice"), 4);
}

TEST(Monai, LeavesOutWhatHasNoTruth) {
  const ProfileTable table = judged("monai", {ruler, missed, hallucinated, nothing, both});
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), 19);
  EXPECT_DOUBLE_EQ(value(table, "asd", 0).value(), 10);
  EXPECT_DOUBLE_EQ(value(table, "nsd", 0).value(), 4.0 / 22);
  EXPECT_EQ(value(table, "dice", 1), 0.0);
  EXPECT_EQ(value(table, "hd95", 1), std::nullopt);
  EXPECT_EQ(value(table, "nsd", 1), 0.0);
  EXPECT_EQ(value(table, "dice", 2), std::nullopt);
  EXPECT_EQ(value(table, "nsd", 2), 0.0);
  EXPECT_EQ(value(table, "nsd", 3), std::nullopt);
  EXPECT_DOUBLE_EQ(table.mean("dice").value(), (2.0 / 22 + 0 + 0.5) / 3);
  EXPECT_EQ(table.used("dice"), 3);
  EXPECT_EQ(table.mean("accuracy"), std::nullopt);
}

// One pixel against the one 2 to its right. A pixel's contour is its 4 corners, each half a
// diagonal long; the corners' distances to the other's are 1 (the near two) and 2.
TEST(Deepmind, MeasuresBetweenCorners) {
  const ProfileTable table = judged("deepmind", {{{"1..."}, {"..1."}}, missed, nothing}, {{}, 1.0});
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), 2);
  EXPECT_DOUBLE_EQ(value(table, "nsd", 0).value(), 0.5);
  EXPECT_DOUBLE_EQ(value(table, "asd_from_truth", 0).value(), 1.5);
  EXPECT_DOUBLE_EQ(value(table, "asd_from_prediction", 0).value(), 1.5);
  EXPECT_EQ(value(table, "hd95", 1), std::nullopt);
  EXPECT_EQ(value(table, "nsd", 1), 0.0);
  EXPECT_EQ(value(table, "dice", 1), 0.0);
  EXPECT_EQ(value(table, "nsd", 2), std::nullopt);
  EXPECT_EQ(value(table, "dice", 2), std::nullopt);
}

// A 2 x 1 bar against a 4 x 1 bar, from the same corner, pixels 2 wide and 1 high. The truth's
// contour: 4 corners of half a diagonal, sqrt 5 / 2, and 2 points on long sides, 2 each. All of
// them lie on the prediction's contour, the right two corners in the middle of its long sides: from
// the truth all distances are 0. From the prediction: 3 pairs of long-side points, at 1, 2 and 3
// pixels, of which the last is 2 away; the right corners are 4 away.
TEST(Deepmind, WeighsByLength) {
  const ProfileTable table = judged("deepmind", {{{"11.."}, {"1111"}}}, {{2, 1}, 2.0});
  const double corner = std::sqrt(5.0) / 2;
  EXPECT_DOUBLE_EQ(value(table, "asd_from_truth", 0).value(), 0);
  EXPECT_DOUBLE_EQ(value(table, "asd_from_prediction", 0).value(),
                   (2 * 2 * 2 + 2 * corner * 4) / (6 * 2 + 4 * corner));
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), 4);
  const double truth_length = 2 * 2 + 4 * corner;
  const double length = 6 * 2 + 4 * corner;
  EXPECT_DOUBLE_EQ(value(table, "nsd", 0).value(),
                   (truth_length + length - 2 * corner) / (truth_length + length));
}

// TransUNet's rules for single images: (1, 0) without truth, (0, 0) else when one is empty.
TEST(TransUnet, GivesWhatHasNoTruthFullMarks) {
  const ProfileTable table = judged("transunet", {ruler, missed, hallucinated, nothing});
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), 18.95);
  EXPECT_EQ(value(table, "dice", 1), 0.0);
  EXPECT_EQ(value(table, "hd95", 1), 0.0);
  EXPECT_EQ(value(table, "dice", 2), 1.0);
  EXPECT_EQ(value(table, "dice", 3), 0.0);
  EXPECT_EQ(table.used("hd95"), 4);
  EXPECT_EQ(table.unit_count(), "4 images");
}

// A volume of four slices, given out of order, beside a slice of another volume. The truth is one
// voxel in the first slice, the prediction the one three slices further: distance 3 whatever the
// spacing; Dice 0. As slices by themselves none would have a distance.
TEST(TransUnet, JudgesVolumesWhole) {
  const std::vector<std::string> empty{"...", "..."};
  const std::vector<std::string> voxel{".1.", "..."};
  std::vector<data::Case> cases(5);
  const std::vector<std::int64_t> positions{3, 0, 2, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    cases[i].id = "v_" + std::to_string(positions[i]);
    cases[i].volume = "v";
    cases[i].slice = positions[i];
  }
  cases[4].id = "w_0";
  cases[4].volume = "w";
  ProfileJudge judge("transunet", cases, 2);
  const Lengths small{{0.5, 0.5}, {}};
  judge.add(cases[0], labels_of(empty), labels_of(voxel), small);
  judge.add(cases[1], labels_of(voxel), labels_of(empty), small);
  judge.add(cases[2], labels_of(empty), labels_of(empty), small);
  judge.add(cases[4], labels_of(voxel), labels_of(voxel), small);
  judge.add(cases[3], labels_of(empty), labels_of(empty), small);
  const ProfileTable table = judge.finish();
  EXPECT_EQ(table.units, (std::vector<std::string>{"w", "v"}));
  EXPECT_EQ(table.unit, "volume");
  EXPECT_EQ(value(table, "hd95", 0), 0.0);
  EXPECT_EQ(value(table, "dice", 0), 1.0);
  EXPECT_DOUBLE_EQ(value(table, "hd95", 1).value(), 3);
  EXPECT_EQ(value(table, "dice", 1), 0.0);
}

// In space a filled 3 x 3 x 3 cube has its middle voxel inside; against that voxel alone, its 26
// border voxels are 1 (6), sqrt 2 (12) and sqrt 3 (8) away, and the voxel is 1 from the border: of
// the 27 distances the 95th percentile is at 24.7, in the sqrt 3.
TEST(TransUnet, BordersOfVolumesAreSixNeighbour) {
  std::vector<data::Case> cases(3);
  for (std::size_t i = 0; i < 3; ++i) {
    cases[i].id = std::to_string(i);
    cases[i].volume = "v";
    cases[i].slice = static_cast<std::int64_t>(i);
  }
  ProfileJudge judge("transunet", cases, 2);
  const data::LabelMap full = labels_of({"111", "111", "111"});
  const data::LabelMap empty = labels_of({"...", "...", "..."});
  judge.add(cases[0], full, empty);
  judge.add(cases[1], full, labels_of({"...", ".1.", "..."}));
  judge.add(cases[2], full, empty);
  const ProfileTable table = judge.finish();
  EXPECT_DOUBLE_EQ(value(table, "hd95", 0).value(), std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(value(table, "dice", 0).value(), 2.0 / 28);
}

// TP 1 + 0 + 0, FP 1 + 0 + 1, FN 1 + 2 + 0, of 12 pixels.
TEST(Pooled, IsOneConfusionMatrix) {
  const ProfileTable table = judged("pooled", {both, missed, hallucinated});
  EXPECT_EQ(table.units.size(), 1U);
  EXPECT_DOUBLE_EQ(table.mean("dice").value(), 2.0 / 7);
  EXPECT_DOUBLE_EQ(table.mean("iou").value(), 1.0 / 6);
  EXPECT_DOUBLE_EQ(table.mean("accuracy").value(), 7.0 / 12);
  EXPECT_EQ(judged("pooled", {nothing}).mean("dice"), 0.0);
}

// Batches of two: IoU (1 + s) / (5 + s), then of the third image alone s / (1 + s), weighed 2 : 1.
TEST(Batch, DerivesDiceFromIou) {
  const ProfileTable table = judged("batch", {both, missed, hallucinated}, {}, 2);
  EXPECT_EQ(table.unit_count(), "2 batches");
  const double s = 1e-5;
  const double first = (1 + s) / (5 + s);
  const double second = s / (1 + s);
  EXPECT_DOUBLE_EQ(table.mean("iou").value(), (2 * first + second) / 3);
  EXPECT_DOUBLE_EQ(table.mean("dice").value(),
                   (2 * (2 * first / (first + 1)) + 2 * second / (second + 1)) / 3);
}

// IoU 2/3 counts, 1/3 does not; nothing in nothing is perfect.
TEST(Isic, CountsNothingBelowTheThreshold) {
  const ProfileTable table = judged("isic", {{{"111."}, {"11.."}}, both, nothing, missed});
  EXPECT_DOUBLE_EQ(value(table, "threshold_jaccard", 0).value(), 2.0 / 3);
  EXPECT_EQ(value(table, "threshold_jaccard", 1), 0.0);
  EXPECT_EQ(value(table, "threshold_jaccard", 2), 1.0);
  EXPECT_EQ(value(table, "dice", 2), 1.0);
  EXPECT_EQ(value(table, "threshold_jaccard", 3), 0.0);
  EXPECT_DOUBLE_EQ(table.mean("threshold_jaccard").value(), (2.0 / 3 + 1) / 4);
}

// Two classes, of which the second is nowhere in the first image: its mean over classes is that of
// the first class alone, as in the default.
TEST(ProfileTables, MeanOverClassesThenUnits) {
  const std::vector<CaseScores> cases{score_case("a", labels_of({"11.."}), labels_of({".11."}), 3),
                                      score_case("b", labels_of({"1122"}), labels_of({"1122"}), 3)};
  const ProfileTable table = default_table(cases);
  EXPECT_DOUBLE_EQ(table.mean("dice").value(), 0.75);
  EXPECT_DOUBLE_EQ(table.mean("dice", 1).value(), 1);
}

TEST(ProfileNames, AreCheckedAndOrdered) {
  EXPECT_EQ(profile_names({"isic", "default", "isic"}),
            (std::vector<std::string>{"default", "isic"}));
  EXPECT_EQ(profile_names({"all"}).size(), profiles.size());
  EXPECT_THROW(profile_names({"monay"}), Error);
}

}  // namespace
}  // namespace medurwkv::judge
