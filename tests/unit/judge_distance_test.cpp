// Borders and the exact distance transform, against hand-made cases and a brute-force oracle.
#include "judge/distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/random.h"

namespace medurwkv::judge {
namespace {

Mask mask_of(const std::vector<std::string>& rows) {
  Mask mask{rows.front().size(), rows.size(), {}};
  for (const std::string& row : rows) {
    for (const char c : row) mask.inside.push_back(c == '#' ? 1 : 0);
  }
  return mask;
}

Mask random_mask(std::size_t width, std::size_t height, double density, std::uint64_t seed) {
  const Random random({seed, width, height});
  Mask mask{width, height, {}};
  for (std::size_t i = 0; i < width * height; ++i) {
    mask.inside.push_back(random.uniform(i) < density ? 1 : 0);
  }
  return mask;
}

// The definition: the minimum over all sites.
double nearest(const Mask& sites, std::size_t x, std::size_t y, Spacing spacing) {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t v = 0; v < sites.height; ++v) {
    for (std::size_t u = 0; u < sites.width; ++u) {
      if (sites.inside[v * sites.width + u] == 0) continue;
      const double dx = (static_cast<double>(u) - static_cast<double>(x)) * spacing.x;
      const double dy = (static_cast<double>(v) - static_cast<double>(y)) * spacing.y;
      best = std::min(best, dx * dx + dy * dy);
    }
  }
  return best;
}

// A border pixel needs one 4-neighbour outside; a diagonal one is not enough.
TEST(Border, IsFourNeighbour) {
  const Mask expected = mask_of({".....", ".###.", ".#.#.", ".###.", "....."});
  EXPECT_EQ(border(mask_of({".....", ".###.", ".###.", ".###.", "....."})).inside, expected.inside);
  const Mask notched = mask_of({"......", ".####.", ".####.", ".####.", ".###..", "......"});
  // (3, 3) has the missing corner (4, 4) only as a diagonal neighbour.
  EXPECT_EQ(border(notched).inside,
            mask_of({"......", ".####.", ".#..#.", ".#..#.", ".###..", "......"}).inside);
}

// Beyond the image everything is outside: a filled image has a frame as its border.
TEST(Border, OutsideOfTheImageIsBackground) {
  EXPECT_EQ(border(mask_of({"####", "####", "####"})).inside,
            mask_of({"####", "#..#", "####"}).inside);
  EXPECT_EQ(border(mask_of({"#"})).inside, mask_of({"#"}).inside);
}

TEST(SquaredDistances, WithoutASiteIsInfiniteEverywhere) {
  for (const double value : squared_distances(mask_of({"...", "..."}), {})) {
    EXPECT_EQ(value, std::numeric_limits<double>::infinity());
  }
}

// By hand: one site at (0, 0), pixels 2 wide and 3 high.
TEST(SquaredDistances, HonoursAnisotropicSpacing) {
  const std::vector<double> expected{0, 4, 16, 9, 13, 25};
  EXPECT_EQ(squared_distances(mask_of({"#..", "..."}), {2, 3}), expected);
}

// Equal to the definition on random masks of odd sizes, sparse to dense, with any spacing.
TEST(SquaredDistances, AgreesWithTheDefinition) {
  std::uint64_t seed = 0;
  for (const auto& [width, height] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {1, 17}, {19, 1}, {2, 2}, {13, 29}, {31, 23}}) {
    for (const double density : {0.005, 0.05, 0.5, 0.95}) {
      for (const Spacing spacing : {Spacing{1, 1}, Spacing{0.3, 2.5}, Spacing{7, 0.011}}) {
        const Mask sites = random_mask(width, height, density, ++seed);
        const auto distances = squared_distances(sites, spacing);
        for (std::size_t y = 0; y < height; ++y) {
          for (std::size_t x = 0; x < width; ++x) {
            const double expected = nearest(sites, x, y, spacing);
            const double got = distances[y * width + x];
            if (std::isinf(expected)) {
              ASSERT_EQ(got, expected);
            } else {
              ASSERT_NEAR(got, expected, 1e-12 * std::max(1.0, expected))
                  << width << " x " << height << " at " << x << "," << y;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace medurwkv::judge
