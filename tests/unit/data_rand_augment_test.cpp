// RandAugment: each operation by hand and against Pillow, how likely and how strong they are drawn.
#include "data/feed/rand_augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <numbers>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "core/text.h"
#include "support/paths.h"

namespace medurwkv::data {
namespace {

/// `change` of planes of one row.
std::vector<float> changed(std::vector<float> values, RandOperation operation, double amount = 0,
                           std::int64_t channels = 1) {
  const std::int64_t width = std::ssize(values) / channels;
  Planes planes{std::move(values), channels, {width, 1}};
  change_values(planes, {operation, amount});
  return planes.values;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

TEST(RandAugment, ValuesByHand) {
  using O = RandOperation;
  expect_near(changed({0, 0.2F, 0.8F}, O::brightness, 0.5), {0, 0.1F, 0.4F});
  expect_near(changed({0, 0.2F, 0.8F}, O::brightness, 1.5), {0, 0.3F, 1});
  // The mean is 0.4.
  expect_near(changed({0.1F, 0.3F, 0.8F}, O::contrast, 0), {0.4F, 0.4F, 0.4F});
  expect_near(changed({0.1F, 0.3F, 0.8F}, O::contrast, 1.5), {0, 0.25F, 1});
  // Red 1, green 0.5, blue 0: gray 0.299 + 0.2935.
  expect_near(changed({1, 0.5F, 0}, O::color, 0, 3), {0.5925F, 0.5925F, 0.5925F});
  expect_near(changed({1, 0.5F, 0}, O::color, 0.5, 3), {0.79625F, 0.54625F, 0.29625F});
  expect_near(changed({1, 0.5F, 0}, O::contrast, 0, 3), {0.5925F, 0.5925F, 0.5925F});
  expect_near(changed({1, 0.5F}, O::color, 0, 2), {1, 0.5F});
  // 200 = 0b11001000, 15 = 0b1111.
  expect_near(changed({200 / 255.0F, 15 / 255.0F, 1}, O::posterize, 4),
              {192 / 255.0F, 0, 240 / 255.0F});
  expect_near(changed({200 / 255.0F, 15 / 255.0F}, O::posterize, 8), {200 / 255.0F, 15 / 255.0F});
  expect_near(changed({0.2F, 0.5F, 0.9F}, O::solarize, 0.5), {0.2F, 0.5F, 0.1F});
  expect_near(changed({0.2F, 1}, O::solarize, 1), {0.2F, 0});
  expect_near(changed({0.2F, 0.6F, 0.4F, 0.3F, 0.3F, 0.3F}, O::autocontrast, 0, 2),
              {0, 1, 0.5F, 0.3F, 0.3F, 0.3F});
  expect_near(changed({0.2F, 0.6F}, O::rotate), {0.2F, 0.6F});
  expect_near(changed({0.2F, 0.6F}, O::identity), {0.2F, 0.6F});
}

// A point in the middle of 3 x 3 pixels: 5/13 of it stays; the outermost pixels are as they were.
TEST(RandAugment, SharpnessByHand) {
  for (const auto& [factor, expected] :
       {std::pair{0.0, 5.0 / 13}, std::pair{0.5, 9.0 / 13}, std::pair{1.0, 1.0}}) {
    Planes planes{{0, 0, 0, 0, 1, 0, 0, 0, 0}, 1, {3, 3}};
    change_values(planes, {RandOperation::sharpness, factor});
    std::vector<float> whole_picture(9, 0);
    whole_picture[4] = static_cast<float>(expected);
    expect_near(planes.values, whole_picture);
  }
  // Two planes, the second of ones but for the middle: 8/13 around a 0.
  Planes planes{std::vector<float>(18, 1), 2, {3, 3}};
  planes.values[13] = 0;
  change_values(planes, {RandOperation::sharpness, 0});
  EXPECT_NEAR(planes.values[4], 1, 1e-6);
  EXPECT_NEAR(planes.values[13], 8.0 / 13, 1e-6);
}

// Pillow's: 1024 pixels of 10, 512 of 100, 512 of 200. step = (2048 - 512) / 255 = 6, so the levels
// become 3 / 6, (3 + 1024) / 6 and (3 + 1536) / 6, cut off at 255.
TEST(RandAugment, EqualizeByHand) {
  std::vector<float> values(2048, 10 / 255.0F);
  std::fill(values.begin() + 1024, values.begin() + 1536, 100 / 255.0F);
  std::fill(values.begin() + 1536, values.end(), 200 / 255.0F);
  const std::vector<float> got = changed(values, RandOperation::equalize);
  EXPECT_FLOAT_EQ(got[0], 0);
  EXPECT_FLOAT_EQ(got[1024], 171 / 255.0F);
  EXPECT_FLOAT_EQ(got[1536], 1);
  // One level alone, and fewer pixels than levels: as they were.
  expect_near(changed({0.4F, 0.4F}, RandOperation::equalize), {0.4F, 0.4F});
  expect_near(changed({0.4F, 0.6F}, RandOperation::equalize), {0.4F, 0.6F});
}

// Pillow rounds to 8 bits, means and blends along the way: off by 2 of 255 at the most. What it
// looks up in a table of levels is the same.
TEST(RandAugment, ChangesAreThoseOfPillow) {
  const std::map<std::string, std::pair<RandOperation, double>> operations{
      {"identity", {RandOperation::identity, 0}},
      {"brightness", {RandOperation::brightness, 2}},
      {"color", {RandOperation::color, 2}},
      {"contrast", {RandOperation::contrast, 2}},
      {"sharpness", {RandOperation::sharpness, 2}},
      {"posterize", {RandOperation::posterize, 0}},
      {"solarize", {RandOperation::solarize, 0}},
      {"autocontrast", {RandOperation::autocontrast, 1}},
      {"equalize", {RandOperation::equalize, 0}}};
  constexpr std::size_t area = 20 * 16;
  std::ifstream file(test::source_folder() / "tests/unit/data/rand_augment.txt");
  std::string line;
  Planes picture;
  std::size_t lines = 0;
  for (; std::getline(file, line); ++lines) {
    std::istringstream in(line);
    std::string name;
    double amount = 0;
    in >> name >> amount;
    Planes expected{std::vector<float>(3 * area), 3, {20, 16}};
    for (std::size_t i = 0; i < 3 * area; ++i) {
      ASSERT_TRUE(in >> expected.values[i % 3 * area + i / 3]);
    }
    if (lines == 0) {
      picture = expected;
      for (float& value : picture.values) value /= 255;
    }
    Planes got = picture;
    const auto& [operation, bound] = operations.at(name);
    change_values(got, {operation, amount});
    for (std::size_t i = 0; i < 3 * area; ++i) {
      ASSERT_NEAR(255 * got.values[i], expected.values[i], bound + 1e-3)
          << name << " " << amount << ", value " << i;
    }
  }
  EXPECT_EQ(lines, 18U);
}

/// "shear_x +" and the like of one drawn operation.
std::string name_of(const RandAugment& one) {
  if (!one.changes.empty()) {
    const auto& [operation, amount] = one.changes.front();
    return concat("change ", static_cast<int>(operation), amount > 1 && amount < 2 ? " +" : "");
  }
  const Affine& map = one.map;
  const auto sign = [](double value) { return value > 0 ? " +" : " -"; };
  if (map.x0 != 0) return concat("translate_x", sign(map.x0));
  if (map.y0 != 0) return concat("translate_y", sign(map.y0));
  if (map.xx != 1) return concat("rotate", sign(map.yx));
  if (map.xy != 0) return concat("shear_x", sign(map.xy));
  if (map.yx != 0) return concat("shear_y", sign(map.yx));
  return "identity";
}

// Fourteen operations as often as each other, nine of them in two directions (4 sigma); at full
// strength they are as far as the table of docs/augmentation.md says.
TEST(RandAugment, OperationsAreEquallyLikelyAndOfTheirStrength) {
  constexpr int count = 7000;
  std::map<std::string, int> uses;
  for (std::uint64_t i = 0; i < count; ++i) {
    const RandAugment one = draw_rand_augment(Random({i, 5}), 1, 10);
    ++uses[name_of(one)];
    const auto& [xx, xy, yx, yy, x0, y0] = one.map;
    EXPECT_TRUE(x0 == 0 || std::abs(std::abs(x0) - 0.45) < 1e-12);
    EXPECT_TRUE(y0 == 0 || std::abs(std::abs(y0) - 0.45) < 1e-12);
    if (xx != 1) {
      EXPECT_NEAR(xx, std::cos(std::numbers::pi / 6), 1e-12);
      EXPECT_NEAR(std::abs(xy), 0.5, 1e-12);
    } else {
      EXPECT_TRUE(xy == 0 || std::abs(std::abs(xy) - 0.3) < 1e-12);
      EXPECT_TRUE(yx == 0 || std::abs(std::abs(yx) - 0.3) < 1e-12);
    }
    EXPECT_NEAR(xx * yy - xy * yx, 1, 1e-12) << "keeps areas";
    if (one.changes.empty()) continue;
    const auto& [operation, amount] = one.changes.front();
    if (operation == RandOperation::posterize) {
      EXPECT_EQ(amount, 4);
    } else if (operation == RandOperation::solarize) {
      EXPECT_EQ(amount, 0);
    } else if (operation < RandOperation::posterize) {
      EXPECT_NEAR(std::abs(amount - 1), 0.9, 1e-12);
    }
  }
  EXPECT_EQ(uses.size(), 14U + 9);
  for (const auto& [name, times] : uses) {
    const bool sided = name.find('+') != std::string::npos || name.find('-') != std::string::npos ||
                       uses.contains(name + " +");
    const double share = sided ? 1.0 / 28 : 1.0 / 14;
    EXPECT_NEAR(times, count * share, 4 * std::sqrt(count * share * (1 - share))) << name;
  }
}

// Of two operations the first one is that of one alone. The second one's map, which the view's
// places go through first, is what is left: a map that one operation has.
TEST(RandAugment, TheLastMapIsGoneThroughFirst) {
  std::size_t both = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Random random({i, 5});
    const Affine first = draw_rand_augment(random, 1, 10).map;
    const Affine whole_map = draw_rand_augment(random, 2, 10).map;
    // Its determinant is 1.
    const Affine linear{.xx = first.yy, .xy = -first.xy, .yx = -first.yx, .yy = first.xx};
    const Point origin = linear({first.x0, first.y0});
    const Affine back{.xx = linear.xx,
                      .xy = linear.xy,
                      .yx = linear.yx,
                      .yy = linear.yy,
                      .x0 = -origin.x,
                      .y0 = -origin.y};
    const auto [xx, xy, yx, yy, x0, y0] = back.after(whole_map);
    const auto is = [](double value, double wanted) {
      return std::abs(std::abs(value) - wanted) < 1e-12;
    };
    const double cosine = std::cos(std::numbers::pi / 6);
    const bool linear_alone = is(x0, 0) && is(y0, 0);
    const bool rotated =
        linear_alone && is(xx, cosine) && is(yy, cosine) && is(xy, 0.5) && is(yx, 0.5);
    const bool straight = is(xx, 1) && is(yy, 1);
    const int moved =
        (is(xy, 0) ? 0 : 1) + (is(yx, 0) ? 0 : 1) + (is(x0, 0) ? 0 : 1) + (is(y0, 0) ? 0 : 1);
    const bool sized = (is(xy, 0) || is(xy, 0.3)) && (is(yx, 0) || is(yx, 0.3)) &&
                       (is(x0, 0) || is(x0, 0.45)) && (is(y0, 0) || is(y0, 0.45));
    ASSERT_TRUE(rotated || (straight && moved <= 1 && sized)) << i;
    both += first.xx != 1 && (x0 != 0 || y0 != 0) ? 1 : 0;
  }
  EXPECT_GT(both, 5U);
}

TEST(RandAugment, NoStrengthChangesNothingThatHasOne) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    const RandAugment one = draw_rand_augment(Random({i, 5}), 3, 0);
    EXPECT_EQ(one.map.xx, 1);
    EXPECT_EQ(one.map.xy, 0);
    EXPECT_EQ(one.map.x0, 0);
    for (const auto& [operation, amount] : one.changes) {
      if (operation >= RandOperation::autocontrast) continue;
      const std::vector<float> values{0, 51 / 255.0F, 204 / 255.0F};
      expect_near(changed(values, operation, amount), values);
    }
  }
  EXPECT_TRUE(draw_rand_augment(Random({1}), 0, 10).changes.empty());
}

}  // namespace
}  // namespace medurwkv::data
