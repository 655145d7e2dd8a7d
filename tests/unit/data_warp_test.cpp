// The warp against its slow definition in double precision: every tap of Keys' kernel over the
// mirrored plane, B-splines by their recursion; and its laws: invertibility, no folds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "data/image/warp.h"
#include "support/images.h"

namespace medurwkv::data {
namespace {

Planes random_planes(std::int64_t channels, ImageSize size, unsigned seed) {
  std::mt19937 bits(seed);
  Planes out{.values = {}, .channels = channels, .size = size};
  out.values.resize(static_cast<std::size_t>(channels * size.width * size.height));
  for (float& value : out.values) value = static_cast<float>(bits() >> 8) * 0x1p-24F;
  return out;
}

/// Keys (1981), eq. 4 for a = -1/2, as it stands there.
double keys(double s) {
  s = std::abs(s);
  if (s < 1) return 1.5 * s * s * s - 2.5 * s * s + 1;
  if (s < 2) return -0.5 * s * s * s + 2.5 * s * s - 4 * s + 2;
  return 0;
}

/// ... 1 0 | 0 1 2 | 2 1 ..., step by step.
std::int64_t reflected(std::int64_t at, std::int64_t size) {
  while (at < 0 || at >= size) at = at < 0 ? -1 - at : 2 * size - 1 - at;
  return at;
}

/// The plane at (x, y): the sum over a wide neighbourhood of value times kernel.
double interpolated(const Planes& planes, std::int64_t channel, double x, double y) {
  double sum = 0;
  for (auto j = static_cast<std::int64_t>(std::floor(y)) - 3; static_cast<double>(j) <= y + 3;
       ++j) {
    for (auto i = static_cast<std::int64_t>(std::floor(x)) - 3; static_cast<double>(i) <= x + 3;
         ++i) {
      const std::int64_t at =
          (channel * planes.size.height + reflected(j, planes.size.height)) * planes.size.width +
          reflected(i, planes.size.width);
      sum += static_cast<double>(planes.values[static_cast<std::size_t>(at)]) *
             keys(x - static_cast<double>(i)) * keys(y - static_cast<double>(j));
    }
  }
  return sum;
}

void expect_interpolated(const Planes& planes, const Warp& warp) {
  const std::vector<float> got = warp_planes(planes, {}, warp);
  std::size_t at = 0;
  for (std::int64_t c = 0; c < planes.channels; ++c) {
    for (std::int64_t y = 0; y < warp.to.height; ++y) {
      for (std::int64_t x = 0; x < warp.to.width; ++x, ++at) {
        const Point from = warp.map({static_cast<double>(x), static_cast<double>(y)});
        ASSERT_NEAR(got[at], interpolated(planes, c, from.x, from.y), 3e-6) << x << " " << y;
      }
    }
  }
}

// Inside, over the borders, far outside, and from planes smaller than the kernel.
TEST(WarpPlanes, IsBicubicByDefinition) {
  const Affine turned{.xx = 0.8, .xy = -0.45, .yx = 0.5, .yy = 0.9, .x0 = 3.3, .y0 = -2.7};
  expect_interpolated(random_planes(2, {19, 13}, 1), {.to = {24, 17}, .map = turned});
  expect_interpolated(random_planes(1, {3, 2}, 2), {.to = {9, 9}, .map = turned});
  expect_interpolated(random_planes(1, {1, 1}, 3), {.to = {4, 3}, .map = turned});
  const Affine far{.xx = 1.3, .yy = -0.7, .x0 = -41.25, .y0 = 77.5};
  expect_interpolated(random_planes(3, {8, 6}, 4), {.to = {11, 7}, .map = far});
}

TEST(WarpPlanes, WholePixelsAreCopied) {
  const Planes planes = random_planes(2, {12, 9}, 5);
  EXPECT_EQ(warp_planes(planes, {}, {.to = {12, 9}, .map = {}}), planes.values);
}

// Averages over 2 x 3 blocks, sampled at the blocks' centres, are those averages.
TEST(WarpPlanes, BlocksLieWhereTheirPixelsWere) {
  const Image image = test::make_image(
      8, 9, 1, [](auto x, auto y, auto) { return static_cast<int>(x * 20 + y * y); });
  const Planes blocks = image_planes(image, 1, {}, 2, 3);
  ASSERT_EQ(blocks.size, (ImageSize{4, 3}));
  EXPECT_NEAR(blocks.values[5], (20 * (2 + 3) * 3 + 2 * (9 + 16 + 25)) / 6.0 / 255, 1e-6);
  const Warp warp{.to = {4, 3}, .map = {.xx = 2, .yy = 3, .x0 = 0.5, .y0 = 1}};
  EXPECT_EQ(block_size(warp.map).across, 2);
  EXPECT_EQ(block_size(warp.map).down, 3);
  const std::vector<float> got = warp_planes(blocks, {2, 3}, warp);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], blocks.values[i], 1e-6);
}

// A turned map has its steps along the other axis; what grows is not averaged.
TEST(WarpPlanes, BlockSizesAreTheStepsOfTheMap) {
  const BlockSize turned = block_size({.xx = 0, .xy = 4.2, .yx = -2.4, .yy = 0});
  EXPECT_EQ(turned.across, 4);
  EXPECT_EQ(turned.down, 2);
  const BlockSize rotated = block_size({.xx = 3, .xy = -4, .yx = 4, .yy = 3});
  EXPECT_EQ(rotated.across, 5);
  EXPECT_EQ(rotated.down, 5);
  EXPECT_EQ(block_size({.xx = 0.2, .yy = 1.4}).across, 1);
  EXPECT_EQ(block_size({.xx = 0.2, .yy = 1.4}).down, 1);
}

TEST(WarpLabels, TakesTheNearestPixelMirrored) {
  const LabelMap labels =
      test::make_labels(7, 5, [](auto x, auto y) { return static_cast<int>(10 * y + x); });
  const Affine map{.xx = 0.83, .xy = 0.31, .yx = -0.4, .yy = 1.1, .x0 = -2.2, .y0 = 1.3};
  const LabelMap got = warp_labels(labels, {.to = {15, 11}, .map = map});
  const std::vector<std::uint8_t> inside = covered({.to = {15, 11}, .map = map}, {7, 5});
  for (std::int64_t y = 0; y < 11; ++y) {
    for (std::int64_t x = 0; x < 15; ++x) {
      const Point from = map({static_cast<double>(x), static_cast<double>(y)});
      const auto near_x = static_cast<std::int64_t>(std::floor(from.x + 0.5));
      const auto near_y = static_cast<std::int64_t>(std::floor(from.y + 0.5));
      const auto at = static_cast<std::size_t>(y * 15 + x);
      EXPECT_EQ(int{got.labels[at]}, 10 * reflected(near_y, 5) + reflected(near_x, 7));
      EXPECT_EQ(inside[at] == 1, near_x >= 0 && near_x < 7 && near_y >= 0 && near_y < 5);
    }
  }
}

TEST(AffineMap, AfterIsOneAfterTheOther) {
  const Affine a{.xx = 2, .xy = -1, .yx = 0.5, .yy = 3, .x0 = 4, .y0 = -2};
  const Affine b{.xx = 0.3, .xy = 1, .yx = -2, .yy = 0.7, .x0 = 1, .y0 = 5};
  const Point both = a.after(b)({1.5, -2.5});
  const Point one = a(b({1.5, -2.5}));
  EXPECT_NEAR(both.x, one.x, 1e-12);
  EXPECT_NEAR(both.y, one.y, 1e-12);
}

// A map and its inverse, each sampled once, give a smooth picture back where both lie inside.
TEST(WarpPlanes, TheInverseMapGivesThePictureBack) {
  Planes planes{.values = {}, .channels = 1, .size = {64, 64}};
  for (int i = 0; i < 64 * 64; ++i) {
    planes.values.push_back(static_cast<float>(
        0.5 + 0.4 * std::sin(0.2 * (i % 64)) * std::cos(0.15 * static_cast<int>(i / 64))));
  }
  const Affine map{.xx = 0.9, .xy = -0.3, .yx = 0.3, .yy = 0.9, .x0 = 9, .y0 = -5};
  const double determinant = 0.9 * 0.9 + 0.3 * 0.3;
  const Affine turn{.xx = 0.9 / determinant,
                    .xy = 0.3 / determinant,
                    .yx = -0.3 / determinant,
                    .yy = 0.9 / determinant};
  const Affine inverse = turn.after({.x0 = -9, .y0 = 5});
  const Planes there{warp_planes(planes, {}, {.to = {64, 64}, .map = map}), 1, {64, 64}};
  const std::vector<float> back = warp_planes(there, {}, {.to = {64, 64}, .map = inverse});
  for (std::int64_t y = 24; y < 40; ++y) {
    for (std::int64_t x = 24; x < 40; ++x) {
      const auto at = static_cast<std::size_t>(y * 64 + x);
      EXPECT_NEAR(back[at], planes.values[at], 2e-3) << x << " " << y;
    }
  }
}

/// Uniform B-spline of degree 3 with support -2..2, by the recursion of Cox and de Boor.
double spline(double t, int degree = 3, double from = -2) {
  if (degree == 0) return t >= from && t < from + 1 ? 1 : 0;
  return ((t - from) * spline(t, degree - 1, from) +
          (from + degree + 1 - t) * spline(t, degree - 1, from + 1)) /
         degree;
}

// Control (i, j) lies at cell coordinate (i - 1, j - 1), its random numbers at 2 (j side + i).
TEST(ElasticField, IsASumOfSplines) {
  const ImageSize picture{30, 20};
  constexpr std::int64_t cells = 4;
  const Random random({7, 8});
  const ElasticField field(picture, cells, 0.3, random);
  std::vector<double> dx(30);
  std::vector<double> dy(30);
  for (const std::int64_t y : {0, 4, 5, 13, 19}) {
    field.row(y, dx, dy);
    for (std::int64_t x = 0; x < 30; ++x) {
      const double u = (static_cast<double>(x) + 0.5) / 30 * cells;
      const double v = (static_cast<double>(y) + 0.5) / 20 * cells;
      double expected_x = 0;
      double expected_y = 0;
      for (std::uint64_t j = 0; j < 7; ++j) {
        for (std::uint64_t i = 0; i < 7; ++i) {
          const double weight =
              spline(u - static_cast<double>(i) + 1) * spline(v - static_cast<double>(j) + 1);
          const std::uint64_t at = 2 * (7 * j + i);
          expected_x += weight * (2 * random.uniform(at) - 1) * 0.3 * 30 / cells;
          expected_y += weight * (2 * random.uniform(at + 1) - 1) * 0.3 * 20 / cells;
        }
      }
      EXPECT_NEAR(dx[static_cast<std::size_t>(x)], expected_x, 1e-9) << x << " " << y;
      EXPECT_NEAR(dy[static_cast<std::size_t>(x)], expected_y, 1e-9) << x << " " << y;
    }
  }
}

// At the largest amount that a setting takes, the Jacobian determinant is positive everywhere: no
// point of the picture is seen twice. At three times that it is not, so the test can fail.
TEST(ElasticField, DoesNotFold) {
  constexpr std::int64_t size = 48;
  const auto folds = [&](double amount, std::uint64_t seed) {
    const ElasticField field({size, size}, 4, amount, Random({seed}));
    std::vector<std::vector<double>> dx(size, std::vector<double>(size));
    std::vector<std::vector<double>> dy = dx;
    for (std::size_t y = 0; y < size; ++y) field.row(static_cast<std::int64_t>(y), dx[y], dy[y]);
    for (std::size_t y = 0; y + 1 < size; ++y) {
      for (std::size_t x = 0; x + 1 < size; ++x) {
        const double determinant = (1 + dx[y][x + 1] - dx[y][x]) * (1 + dy[y + 1][x] - dy[y][x]) -
                                   (dx[y + 1][x] - dx[y][x]) * (dy[y][x + 1] - dy[y][x]);
        if (determinant <= 0) return true;
      }
    }
    return false;
  };
  bool any = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_FALSE(folds(0.45, seed)) << seed;
    any = any || folds(1.35, seed);
  }
  EXPECT_TRUE(any);
}

}  // namespace
}  // namespace medurwkv::data
