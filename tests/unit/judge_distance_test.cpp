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
double nearest(const Mask& sites, std::size_t pixel, Spacing spacing) {
  const auto place = [&](std::size_t i, std::size_t stride, std::size_t count) {
    return static_cast<double>(i / stride % count);
  };
  const std::size_t slice = sites.width * sites.height;
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < sites.inside.size(); ++i) {
    if (sites.inside[i] == 0) continue;
    const double dx = (place(i, 1, sites.width) - place(pixel, 1, sites.width)) * spacing.x;
    const double dy =
        (place(i, sites.width, sites.height) - place(pixel, sites.width, sites.height)) * spacing.y;
    const double dz = (place(i, slice, sites.depth) - place(pixel, slice, sites.depth)) * spacing.z;
    best = std::min(best, dx * dx + dy * dy + dz * dz);
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

Mask whole(const Mask& like) {
  Mask out = like;
  std::fill(out.inside.begin(), out.inside.end(), std::uint8_t{1});
  return out;
}

TEST(SquaredDistances, WithoutASiteIsInfiniteEverywhere) {
  const Mask empty = mask_of({"...", "..."});
  const auto distances = squared_distances(whole(empty), empty, {});
  EXPECT_EQ(distances.size(), 6U);
  for (const double value : distances) {
    EXPECT_EQ(value, std::numeric_limits<double>::infinity());
  }
}

// By hand: one site at (0, 0), pixels 2 wide and 3 high.
TEST(SquaredDistances, HonoursAnisotropicSpacing) {
  const std::vector<double> expected{0, 4, 16, 9, 13, 25};
  const Mask sites = mask_of({"#..", "..."});
  EXPECT_EQ(squared_distances(whole(sites), sites, {2, 3}), expected);
}

// By hand, in the order of the pixels asked for.
// On both sides of the height where lengths no longer fit 16 bits; the column beside has no site.
TEST(SquaredDistances, OfTallMasksAreExact) {
  for (const std::size_t height : {32767U, 32768U, 32769U, 70000U}) {
    Mask site{2, height, std::vector<std::uint8_t>(2 * height, 0)};
    site.inside[0] = 1;
    const auto distances = squared_distances(whole(site), site, {});
    for (std::size_t y = 0; y < height; y += height - 1) {
      const auto squared = static_cast<double>(y) * static_cast<double>(y);
      EXPECT_EQ(distances[2 * y], squared) << height;
      EXPECT_EQ(distances[2 * y + 1], squared + 1) << height;
    }
  }
}

TEST(SquaredDistances, AreOfThePixelsAskedFor) {
  EXPECT_EQ(squared_distances(mask_of({"..#", "#.."}), mask_of({"#..", "..."}), {}),
            (std::vector<double>{4, 1}));
}

// The frame of a 3 x 3 x 3 cube is all but its middle; without slices before and after it would
// have the middle of each slice inside.
TEST(Border, OfAVolumeIsSixNeighbour) {
  const Mask cube{3, 3, std::vector<std::uint8_t>(27, 1), 3};
  const Mask six = border(cube, Neighbours::six);
  EXPECT_EQ(std::count(six.inside.begin(), six.inside.end(), 1), 26);
  EXPECT_EQ(six.inside[13], 0);
  const Mask four = border(cube);
  EXPECT_EQ(std::count(four.inside.begin(), four.inside.end(), 1), 24);
}

// Equal to the definition on random masks of odd sizes, sparse to dense, with any spacing, in the
// plane and in space.
TEST(SquaredDistances, AgreesWithTheDefinition) {
  std::uint64_t seed = 0;
  struct Size {
    std::size_t width, height, depth;
  };
  for (const Size& size : {Size{1, 1, 1},
                           {1, 17, 1},
                           {19, 1, 1},
                           {2, 2, 1},
                           {13, 29, 1},
                           {31, 23, 1},
                           {5, 4, 6},
                           {1, 3, 7},
                           {9, 11, 3}}) {
    for (const double density : {0.005, 0.05, 0.5, 0.95}) {
      for (const Spacing spacing : {Spacing{1, 1}, Spacing{0.3, 2.5, 5}, Spacing{7, 0.011, 0.4}}) {
        const Mask sites = random_mask(size.width, size.height * size.depth, density, ++seed);
        Mask to = sites;
        to.height = size.height;
        to.depth = size.depth;
        const auto distances = squared_distances(whole(to), to, spacing);
        for (std::size_t i = 0; i < distances.size(); ++i) {
          const double expected = nearest(to, i, spacing);
          if (std::isinf(expected)) {
            ASSERT_EQ(distances[i], expected);
          } else {
            ASSERT_NEAR(distances[i], expected, 1e-12 * std::max(1.0, expected))
                << size.width << " x " << size.height << " x " << size.depth << " at " << i;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace medurwkv::judge
