// Where tiles lie and what they weigh: laws over drawn lengths, and one case by hand.
#include "predict/tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/random.h"

namespace medurwkv::predict {
namespace {

// Every pixel lies in a tile and has weights that sum to 1, neighbours share the least overlap,
// no fewer tiles would do, and the first and the last end at the image's edges.
void expect_lawful(std::int64_t length, std::int64_t tile) {
  SCOPED_TRACE(testing::Message() << length << " pixels in tiles of " << tile);
  const TileAxis axis = tile_axis(length, tile);
  ASSERT_EQ(axis.tile, std::min(length, tile));
  ASSERT_FALSE(axis.starts.empty());
  ASSERT_EQ(axis.weights.size(), axis.starts.size());
  EXPECT_EQ(axis.starts.front(), 0);
  EXPECT_EQ(axis.starts.back() + axis.tile, length);
  const std::int64_t overlap = axis.tile / 4;
  std::vector<double> sums(static_cast<std::size_t>(length), 0);
  for (std::size_t i = 0; i < axis.starts.size(); ++i) {
    if (i > 0) {
      EXPECT_GT(axis.starts[i], axis.starts[i - 1]);
      EXPECT_GE(axis.starts[i - 1] + axis.tile - axis.starts[i], overlap);
    }
    ASSERT_EQ(std::ssize(axis.weights[i]), axis.tile);
    for (std::int64_t k = 0; k < axis.tile; ++k) {
      const float weight = axis.weights[i][static_cast<std::size_t>(k)];
      EXPECT_GT(weight, 0);
      EXPECT_LE(weight, 1);
      sums[static_cast<std::size_t>(axis.starts[i] + k)] += weight;
    }
  }
  for (const double sum : sums) ASSERT_NEAR(sum, 1, 1e-6);
  const std::int64_t fewer = std::ssize(axis.starts) - 1;
  if (fewer > 0) {
    EXPECT_LT(fewer * axis.tile - (fewer - 1) * overlap, length) << "one tile less would do";
  }
}

TEST(Tiles, CoverEveryPixelAndSumToOne) {
  const Random random(20261201, "tiles");
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto tile = static_cast<std::int64_t>(1 + random.below(3 * i, i % 3 == 0 ? 12 : 400));
    expect_lawful(static_cast<std::int64_t>(1 + random.below(3 * i + 1, 3000)), tile);
    expect_lawful(tile + static_cast<std::int64_t>(random.below(3 * i + 2, 3)), tile);
  }
  for (std::int64_t length = 1; length < 40; ++length) {
    for (std::int64_t tile = 1; tile < 40; ++tile) expect_lawful(length, tile);
  }
}

TEST(Tiles, OneThatCoversTheImageIsTheImage) {
  for (const std::int64_t tile : {7, 8, 1000}) {
    const TileAxis axis = tile_axis(7, tile);
    EXPECT_EQ(axis.tile, 7);
    EXPECT_EQ(axis.starts, std::vector<std::int64_t>{0});
    EXPECT_EQ(axis.weights, (std::vector<std::vector<float>>{std::vector<float>(7, 1.0F)}));
  }
}

// 14 pixels in tiles of 8 share 2: the second begins at 6. Over the overlap the ramps 3/4, 1/4 and
// 1/4, 3/4 sum to 1 by themselves.
TEST(Tiles, FallLinearlyOverTheOverlap) {
  const TileAxis axis = tile_axis(14, 8);
  EXPECT_EQ(axis.starts, (std::vector<std::int64_t>{0, 6}));
  EXPECT_EQ(axis.weights[0], (std::vector<float>{1, 1, 1, 1, 1, 1, 0.75F, 0.25F}));
  EXPECT_EQ(axis.weights[1], (std::vector<float>{0.25F, 0.75F, 1, 1, 1, 1, 1, 1}));
}

}  // namespace
}  // namespace medurwkv::predict
