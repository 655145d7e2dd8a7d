// Changes of values against their formulas in double precision, and their laws.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

#include "data/image/photometric.h"

namespace medurwkv::data {
namespace {

Planes random_planes(std::int64_t channels, ImageSize size, unsigned seed) {
  std::mt19937 bits(seed);
  Planes out{.values = {}, .channels = channels, .size = size};
  out.values.resize(static_cast<std::size_t>(channels * size.width * size.height));
  for (float& value : out.values) value = static_cast<float>(bits() >> 8) * 0x1p-24F;
  return out;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(ChangeColors, ContrastBrightnessAndGammaByTheirFormula) {
  for (const std::int64_t channels : {1, 2, 5}) {
    for (const double gamma : {0.7, 1.0, 1.9}) {
      Planes planes = random_planes(channels, {20, 10}, 1);
      std::vector<double> expected;
      for (const float value : planes.values) {
        const double linear = (static_cast<double>(value) - 0.5) * 1.3 + 0.5 - 0.08;
        expected.push_back(std::pow(std::min(1.0, std::max(0.0, linear)), gamma));
      }
      change_colors(
          planes,
          {.hue = 0, .saturation = 1, .contrast = 1.3, .brightness = -0.08, .gamma = gamma});
      expect_near(planes.values, expected, 5e-4);
    }
  }
}

TEST(ChangeColors, NothingChangesNothing) {
  Planes planes = random_planes(3, {9, 8}, 2);
  const std::vector<float> before = planes.values;
  change_colors(planes, {});
  EXPECT_EQ(planes.values, before);
}

/// One pixel through a change of hue and saturation.
std::array<double, 3> turned(const std::array<float, 3>& color, double hue, double saturation) {
  Planes planes{{color[0], color[1], color[2]}, 3, {1, 1}};
  change_colors(planes, {.hue = hue, .saturation = saturation});
  return {planes.values[0], planes.values[1], planes.values[2]};
}

// A third of a turn hands each colour to the next; half a turn mirrors at gray; rotation about the
// gray axis (Rodrigues' formula, written out below) keeps gray, its mean and the distance to it.
TEST(ChangeColors, HueIsARotationAboutGray) {
  const std::array<float, 3> color{0.6F, 0.45F, 0.3F};
  const auto third = turned(color, 120, 1);
  EXPECT_NEAR(third[0], 0.3, 1e-6);
  EXPECT_NEAR(third[1], 0.6, 1e-6);
  EXPECT_NEAR(third[2], 0.45, 1e-6);
  const auto half = turned(color, 180, 1);
  const double gray = 0.45;  // the mean
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(half[c], 2 * gray - static_cast<double>(color[c]), 1e-6);
  }
  for (const double hue : {-77.0, 12.0, 45.0}) {
    const auto got = turned(color, hue, 1);
    const double angle = hue * std::numbers::pi / 180;
    const double root = std::sqrt(3.0);
    for (std::size_t c = 0; c < 3; ++c) {
      // v cos + (k x v) sin + k (k . v) (1 - cos), k = (1, 1, 1) / sqrt 3
      const auto own = static_cast<double>(color[c]);
      const double cross =
          (static_cast<double>(color[(c + 2) % 3]) - static_cast<double>(color[(c + 1) % 3])) /
          root;
      EXPECT_NEAR(got[c],
                  own * std::cos(angle) + cross * std::sin(angle) + gray * (1 - std::cos(angle)),
                  1e-6);
    }
    for (const double value : turned({0.7F, 0.7F, 0.7F}, hue, 0.3)) EXPECT_NEAR(value, 0.7, 1e-6);
  }
}

TEST(ChangeColors, SaturationScalesTheDistanceFromGray) {
  const std::array<float, 3> color{0.6F, 0.45F, 0.3F};
  const auto faded = turned(color, 0, 0.4);
  const auto loud = turned(color, 0, 1.5);
  for (std::size_t c = 0; c < 3; ++c) {
    const double distance = static_cast<double>(color[c]) - 0.45;
    EXPECT_NEAR(faded[c], 0.45 + 0.4 * distance, 1e-6);
    EXPECT_NEAR(loud[c], 0.45 + 1.5 * distance, 1e-6);
  }
}

// Two planes are no colours: their hue stays.
TEST(ChangeColors, HueNeedsThreePlanes) {
  Planes planes = random_planes(2, {4, 4}, 3);
  const std::vector<float> before = planes.values;
  change_colors(planes, {.hue = 90, .saturation = 0});
  EXPECT_EQ(planes.values, before);
}

/// ... 1 0 | 0 1 2 | 2 1 ..., step by step.
std::int64_t reflected(std::int64_t at, std::int64_t size) {
  while (at < 0 || at >= size) at = at < 0 ? -1 - at : 2 * size - 1 - at;
  return at;
}

// The whole two-dimensional sum, not two passes.
TEST(Blur, IsTheGaussianByDefinition) {
  for (const double sigma : {0.4, 1.0, 2.2}) {
    const Planes before = random_planes(2, {13, 7}, 4);
    Planes planes = before;
    blur(planes, sigma);
    const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma));
    std::vector<double> expected;
    for (std::int64_t i = 0; i < 2 * 7 * 13; ++i) {
      const std::int64_t top = i / (7 * 13) * 7;
      const std::int64_t y = i / 13 % 7;
      const std::int64_t x = i % 13;
      double sum = 0;
      double weights = 0;
      for (std::int64_t v = -radius; v <= radius; ++v) {
        for (std::int64_t u = -radius; u <= radius; ++u) {
          const double weight = std::exp(-static_cast<double>(u * u + v * v) / (2 * sigma * sigma));
          const std::int64_t at = (top + reflected(y + v, 7)) * 13 + reflected(x + u, 13);
          sum += weight * static_cast<double>(before.values[static_cast<std::size_t>(at)]);
          weights += weight;
        }
      }
      expected.push_back(sum / weights);
    }
    expect_near(planes.values, expected, 2e-6);
  }
}

// Mean, deviation, kurtosis and the share beyond one deviation are the normal distribution's, and
// neighbours are independent (4 sigma of each figure's own spread).
TEST(Noise, IsNormalWithTheGivenDeviation) {
  Planes planes{std::vector<float>(200 * 200, 0.5F), 1, {200, 200}};
  add_noise(planes, 0.05, Random({3, 4}));
  const auto count = static_cast<double>(planes.values.size());
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  double beside = 0;
  int beyond = 0;
  double last = 0;
  for (const float value : planes.values) {
    const double z = (static_cast<double>(value) - 0.5) / 0.05;
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    beside += z * last;
    last = z;
    if (std::abs(z) > 1) ++beyond;
  }
  EXPECT_NEAR(sum / count, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 4 * std::sqrt(2 / count));
  EXPECT_NEAR(fourth / count, 3, 4 * std::sqrt(96 / count));
  EXPECT_NEAR(beside / count, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(beyond / count, 0.3173, 4 * std::sqrt(0.3173 * 0.6827 / count));
}

TEST(Noise, StaysInRangeAndIsAFunctionOfItsStream) {
  Planes one = random_planes(1, {50, 50}, 5);
  Planes same = one;
  Planes other = one;
  add_noise(one, 0.5, Random({1}));
  add_noise(same, 0.5, Random({1}));
  add_noise(other, 0.5, Random({2}));
  EXPECT_EQ(one.values, same.values);
  EXPECT_NE(one.values, other.values);
  EXPECT_TRUE(std::all_of(one.values.begin(), one.values.end(),
                          [](float value) { return value >= 0 && value <= 1; }));
}

TEST(Holes, TakeTheMeanOfTheirPlaneAndLeaveTheRest) {
  const Planes before = random_planes(2, {12, 8}, 6);
  Planes planes = before;
  cut_holes(planes, {{.left = 2, .top = 1, .width = 3, .height = 4},
                     {.left = 11, .top = 7, .width = 1, .height = 1}});
  for (std::size_t c = 0; c < 2; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < 96; ++i) sum += static_cast<double>(before.values[c * 96 + i]);
    for (std::size_t i = 0; i < 96; ++i) {
      const std::size_t x = i % 12;
      const std::size_t y = i / 12;
      const bool cut = (x >= 2 && x < 5 && y >= 1 && y < 5) || (x == 11 && y == 7);
      EXPECT_NEAR(planes.values[c * 96 + i],
                  cut ? sum / 96 : static_cast<double>(before.values[c * 96 + i]), 1e-6)
          << x << " " << y;
    }
  }
}

}  // namespace
}  // namespace medurwkv::data
