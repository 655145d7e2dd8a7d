// Slices as volumes: gathering, what is missing, and the profile `volumes` against distances
// counted out in three dimensions. `make test-peers` holds it against MONAI and medpy.
#include "judge/volumes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "judge/profiles.h"

namespace medurwkv::judge {
namespace {

data::Case slice(const std::string& volume, std::int64_t place) {
  data::Case out;
  out.id = concat(volume, "-", place);
  out.group = volume;
  out.volume = volume;
  out.slice = place;
  return out;
}

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

using Voxel = std::array<std::int64_t, 3>;  // x, y, z

/// Labels by x + width (y + height z).
struct Scan {
  std::int64_t width, height, depth;
  std::vector<std::uint8_t> labels;

  [[nodiscard]] bool has(Voxel at, std::uint8_t label) const {
    const auto [x, y, z] = at;
    if (x < 0 || y < 0 || z < 0 || x >= width || y >= height || z >= depth) return false;
    return labels[static_cast<std::size_t>(x + width * (y + height * z))] == label;
  }
  [[nodiscard]] data::LabelMap slice(std::int64_t z) const {
    const auto pixels = width * height;
    return {width, height, {labels.begin() + z * pixels, labels.begin() + (z + 1) * pixels}};
  }
  [[nodiscard]] std::vector<Voxel> border(std::uint8_t label) const {
    std::vector<Voxel> out;
    for (std::int64_t z = 0; z < depth; ++z) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
          if (!has({x, y, z}, label)) continue;
          const bool enclosed = has({x - 1, y, z}, label) && has({x + 1, y, z}, label) &&
                                has({x, y - 1, z}, label) && has({x, y + 1, z}, label) &&
                                has({x, y, z - 1}, label) && has({x, y, z + 1}, label);
          if (!enclosed) out.push_back({x, y, z});
        }
      }
    }
    return out;
  }
};

Scan random_scan(const Random& random) {
  Scan out{9, 8, 5, std::vector<std::uint8_t>(9 * 8 * 5, 0)};
  std::uint64_t at = 0;
  for (std::uint8_t label = 1; label <= 2; ++label) {
    Voxel from{};
    Voxel size{};
    const Voxel whole{out.width, out.height, out.depth};
    for (std::size_t k = 0; k < 3; ++k) {
      from.at(k) =
          static_cast<std::int64_t>(random.below(at++, static_cast<std::uint64_t>(whole.at(k))));
      size.at(k) = static_cast<std::int64_t>(1 + random.below(at++, 5));
    }
    for (std::int64_t z = from[2]; z < std::min(out.depth, from[2] + size[2]); ++z) {
      for (std::int64_t y = from[1]; y < std::min(out.height, from[1] + size[1]); ++y) {
        for (std::int64_t x = from[0]; x < std::min(out.width, from[0] + size[0]); ++x) {
          out.labels[static_cast<std::size_t>(x + out.width * (y + out.height * z))] = label;
        }
      }
    }
  }
  return out;
}

std::vector<double> distances(const std::vector<Voxel>& from, const std::vector<Voxel>& to,
                              const Spacing& spacing) {
  std::vector<double> out;
  for (const Voxel& a : from) {
    double nearest = 1e300;
    for (const Voxel& b : to) {
      nearest = std::min(nearest, std::hypot(spacing.x * static_cast<double>(a[0] - b[0]),
                                             spacing.y * static_cast<double>(a[1] - b[1]),
                                             spacing.z * static_cast<double>(a[2] - b[2])));
    }
    out.push_back(nearest);
  }
  return out;
}

// Slices come in any order; figures are those of all voxels and all pairs of border voxels.
TEST(VolumesProfile, IsTheDefaultInThreeDimensions) {
  const Lengths lengths{.spacing = {0.5, 0.75, 2}, .tolerance = 1.0};
  const std::vector<std::int64_t> order{3, 0, 4, 1, 2};
  std::vector<data::Case> cases;
  for (const std::int64_t place : order) cases.push_back(slice("scan", place));
  int one_empty = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const Scan truth = random_scan(Random(seed, "truth"));
    const Scan prediction = random_scan(Random(seed, "prediction"));
    ProfileJudge judge("volumes", cases, 3);
    for (std::size_t i = 0; i < order.size(); ++i) {
      judge.add(cases[i], truth.slice(order[i]), prediction.slice(order[i]), lengths);
    }
    const ProfileTable got = judge.finish();
    EXPECT_EQ(got.units, std::vector<std::string>{"scan"});
    EXPECT_EQ(got.unit, "volume");
    for (std::uint8_t label = 1; label <= 2; ++label) {
      const auto value = [&](const std::string& key) {
        const auto at = std::find(got.metrics.begin(), got.metrics.end(), key);
        return got
            .values[label - std::size_t{1}][static_cast<std::size_t>(at - got.metrics.begin())][0];
      };
      double both = 0;
      double in_truth = 0;
      double predicted = 0;
      for (std::size_t i = 0; i < truth.labels.size(); ++i) {
        both += truth.labels[i] == label && prediction.labels[i] == label ? 1 : 0;
        in_truth += truth.labels[i] == label ? 1 : 0;
        predicted += prediction.labels[i] == label ? 1 : 0;
      }
      if (in_truth == 0 && predicted == 0) {
        EXPECT_FALSE(value("dice") || value("hd95") || value("nsd"));
        continue;
      }
      EXPECT_NEAR(value("dice").value(), 2 * both / (in_truth + predicted), 1e-12);
      const double diagonal = std::hypot(9 * 0.5, 8 * 0.75, 5 * 2.0);
      if (in_truth == 0 || predicted == 0) {
        ++one_empty;
        EXPECT_NEAR(value("hd95").value(), diagonal, 1e-12);
        EXPECT_NEAR(value("assd").value(), diagonal, 1e-12);
        EXPECT_EQ(value("nsd"), 0.0);
        continue;
      }
      EXPECT_NEAR(value("volume_difference").value(), (predicted - in_truth) / in_truth, 1e-12);
      std::vector<double> from =
          distances(truth.border(label), prediction.border(label), lengths.spacing);
      std::vector<double> back =
          distances(prediction.border(label), truth.border(label), lengths.spacing);
      EXPECT_NEAR(value("hd95").value(), std::max(percentile(from, 0.95), percentile(back, 0.95)),
                  1e-12);
      from.insert(from.end(), back.begin(), back.end());
      double sum = 0;
      double within = 0;
      for (const double one : from) {
        sum += one;
        within += one <= 1.0 + 1e-9 ? 1 : 0;
      }
      EXPECT_NEAR(value("assd").value(), sum / static_cast<double>(from.size()), 1e-12);
      EXPECT_NEAR(value("nsd").value(), within / static_cast<double>(from.size()), 1e-12);
    }
  }
  EXPECT_GT(one_empty, 0);
}

TEST(Volumes, RefuseWhatIsNoVolume) {
  const std::vector<data::Case> twice{slice("scan", 1), slice("scan", 1)};
  EXPECT_NE(refusal([&] { VolumeGatherer(twice, 2); }).find("the slice 1 of the volume scan"),
            std::string::npos);
  const std::vector<data::Case> cases{slice("scan", 1), slice("scan", 2)};
  ProfileJudge judge("volumes", cases, 2);
  const data::LabelMap large{2, 1, {0, 1}};
  const data::LabelMap small{1, 1, {1}};
  judge.add(cases[0], large, large);
  EXPECT_NE(refusal([&] { judge.add(cases[1], small, small); }).find("its slice is 1 x 1"),
            std::string::npos);
  ProfileJudge spaced("volumes", cases, 2);
  spaced.add(cases[0], large, large);
  EXPECT_NE(refusal([&] {
              spaced.add(cases[1], large, large, {.spacing = {1, 1, 3}});
            }).find("its spacing"),
            std::string::npos);
}

// Of `a` slices 4 and 6 lie in other parts and 8 nowhere; numbers rise by 2. `b` is whole.
TEST(Volumes, AreSaidToBeIncomplete) {
  std::vector<data::Case> judged{slice("a", 2), slice("a", 10), slice("b", 0), slice("b", 1)};
  std::vector<data::Case> set = judged;
  set.push_back(slice("a", 4));
  set.push_back(slice("a", 6));
  set.push_back(slice("c", 5));
  const std::vector<IncompleteVolume> got = incomplete_volumes(judged, set);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].name, "a");
  EXPECT_EQ(got[0].judged, 2);
  EXPECT_EQ(got[0].in_set, 4);
  EXPECT_EQ(got[0].missing, std::vector<std::int64_t>{8});
  judged.push_back(slice("a", 4));
  judged.push_back(slice("a", 6));
  judged.push_back(slice("a", 8));
  set.push_back(slice("a", 8));
  EXPECT_TRUE(incomplete_volumes(judged, set).empty());
}

TEST(Volumes, AreFoundByAPattern) {
  std::vector<data::Case> cases(2);
  cases[0].id = "ct7_im_012";
  cases[1].id = "ct8_im_3";
  regroup_volumes(cases, "(.+)_im_([0-9]+)");
  EXPECT_EQ(cases[0].volume, "ct7");
  EXPECT_EQ(cases[0].slice, 12);
  EXPECT_EQ(cases[1].volume, "ct8");
  const auto refused = [&](const std::string& pattern) {
    return refusal([&] { regroup_volumes(cases, pattern); });
  };
  EXPECT_NE(refused("(.+").find("is not a regular expression"), std::string::npos);
  EXPECT_NE(refused("ct([0-9])").find("has 1 groups; it needs two"), std::string::npos);
  EXPECT_NE(refused("(ct7)_im_([0-9]+)").find("is not in 1 of 2 names, the first is ct8_im_3"),
            std::string::npos);
  EXPECT_NE(refused("(c)(t)").find("finds t in ct7_im_012, which is no slice number"),
            std::string::npos);
  cases[1].id = "ct8_im_1";
  EXPECT_NE(refused("(c)t[0-9]_im_0*([0-9])").find("makes both ct7_im_012 and ct8_im_1"),
            std::string::npos);
}

}  // namespace
}  // namespace medurwkv::judge
