// Gray levels of their own told from soft edges, objects from classes, palettes that disagree, and
// channels of ones: on masks that are drawn here, where what they mean is known.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "core/random.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"
#include "data/layout/mask_use.h"

namespace medurwkv::data {
namespace {

constexpr std::int64_t side = 96;
using Value = std::function<int(double, double)>;

MaskPixels gray(const Value& value) {
  MaskPixels out;
  out.width = out.height = side;
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      out.values.push_back(
          static_cast<std::uint8_t>(value(static_cast<double>(x), static_cast<double>(y))));
    }
  }
  return out;
}

/// Each pixel the mean of `k` x `k` samples, as a box filter resizes.
MaskPixels shrunk(const Value& value, int k) {
  return gray([&](double x, double y) {
    int sum = 0;
    for (int v = 0; v < k; ++v) {
      for (int u = 0; u < k; ++u) sum += value(x + (u + 0.5) / k, y + (v + 0.5) / k);
    }
    return sum / (k * k);
  });
}

Value disc(double cx, double cy, double radius, int inside = 255, int outside = 0) {
  return [=](double x, double y) { return std::hypot(x - cx, y - cy) < radius ? inside : outside; };
}

/// The larger of both.
Value over(const Value& a, const Value& b) {
  return [=](double x, double y) { return std::max(a(x, y), b(x, y)); };
}

/// Many masks with one of them last.
MaskUse set_of(const std::vector<MaskPixels>& masks) {
  MaskUse out;
  for (const MaskPixels& mask : masks) out.add(use_of(mask));
  return out;
}

std::optional<MaskEncoding> decided(const std::vector<MaskPixels>& masks) {
  return encoding_from_values(set_of(masks));
}

std::vector<MaskPixels> sharp_discs(int count) {
  std::vector<MaskPixels> out;
  for (int i = 0; i < count; ++i) out.push_back(gray(disc(40 + i % 9, 50 - i % 7, 12 + i % 5)));
  return out;
}

TEST(GrayLevels, SoftEdgesAreNone) {
  for (const int k : {2, 3, 4, 8}) {
    std::vector<MaskPixels> masks;
    for (int i = 0; i < 8; ++i) masks.push_back(shrunk(disc(47.3 + i, 40.7 - i, 21 + i), k));
    EXPECT_EQ(gray_levels(set_of(masks)), std::vector<int>{}) << k;
    EXPECT_EQ(decided(masks), MaskEncoding::binary) << k;
  }
}

// A blur of several pixels, as of masks that were enlarged smoothly.
TEST(GrayLevels, WideSoftEdgesAreNone) {
  const auto mask = gray([](double x, double y) {
    const double edge = std::hypot(x - 48, y - 48) - 30;
    return static_cast<int>(255 / (1 + std::exp(edge / 0.8)));
  });
  EXPECT_EQ(gray_levels(use_of(mask)), std::vector<int>{});
}

TEST(GrayLevels, APlateauIsOne) {
  const MaskPixels three = gray(over(disc(30, 30, 9, 127), disc(65, 65, 11)));
  EXPECT_EQ(gray_levels(use_of(three)), std::vector<int>{127});
  EXPECT_EQ(decided({three}), std::nullopt);
  const Unclear unclear = why_unclear(use_of(three));
  EXPECT_NE(unclear.what.find("0, 127, 255"), std::string::npos) << unclear.what;
  EXPECT_NE(unclear.remedy.find("`name:127,127,127`"), std::string::npos) << unclear.remedy;
}

// Whatever its share: three pixels across in one mask of sixty, some of which have soft edges.
TEST(GrayLevels, ASmallPlateauInOneOfManyMasksIsOne) {
  std::vector<MaskPixels> masks = sharp_discs(30);
  for (int i = 0; i < 30; ++i) masks.push_back(shrunk(disc(45 + 0.3 * i, 50, 15.5), 4));
  EXPECT_EQ(decided(masks), MaskEncoding::binary);
  masks.push_back(gray(over(disc(20, 20, 2.5, 90), disc(60, 60, 10))));
  EXPECT_EQ(gray_levels(set_of(masks)), std::vector<int>{90});
  EXPECT_EQ(decided(masks), std::nullopt);
}

// Lines one pixel wide have no inside; touching black alone they are no edge.
TEST(GrayLevels, ThinLinesAreOne) {
  std::vector<MaskPixels> masks = sharp_discs(4);
  masks.push_back(gray([](double x, double y) { return y == 70 && x > 10 ? 127 : 0; }));
  EXPECT_EQ(gray_levels(set_of(masks)), std::vector<int>{127});
}

// A border of one value around every object lies where an edge would, but edges have many values.
TEST(GrayLevels, BordersOfOneValueAreOne) {
  const auto mask = gray([](double x, double y) {
    const double away = std::hypot(x - 48, y - 48);
    return away < 20 ? 255 : away < 21.5 ? 127 : 0;
  });
  EXPECT_EQ(gray_levels(use_of(mask)), std::vector<int>{127});
}

// JPEG blurs a level to a range of values.
TEST(GrayLevels, NoisyPlateausAreOne) {
  const Random noise(7, "noise");
  MaskPixels mask = gray(over(disc(30, 30, 12, 127), disc(65, 65, 11)));
  mask.lossy = true;
  for (std::size_t i = 0; i < mask.values.size(); ++i) {
    const int shifted = mask.values[i] + static_cast<int>(noise.below(i, 9)) - 4;
    mask.values[i] = static_cast<std::uint8_t>(std::clamp(shifted, 0, 255));
  }
  const std::vector<int> levels = gray_levels(use_of(mask));
  ASSERT_EQ(levels.size(), 1U);
  EXPECT_NEAR(levels.front(), 127, 5);
  EXPECT_EQ(decided({mask}), std::nullopt);
}

TEST(GrayLevels, NoiseOfJpegNearTheEndsIsNone) {
  const Random noise(8, "noise");
  std::vector<MaskPixels> masks = sharp_discs(6);
  for (std::size_t m = 0; m < masks.size(); ++m) {
    for (std::size_t i = 0; i < masks[m].values.size(); ++i) {
      const int shifted = masks[m].values[i] + static_cast<int>(noise.below(9999 * m + i, 17)) - 8;
      masks[m].values[i] = static_cast<std::uint8_t>(std::clamp(shifted, 0, 255));
    }
  }
  EXPECT_EQ(decided(masks), MaskEncoding::binary);
}

const std::vector<ClassInfo> three_levels{
    {"background", {0, 0, 0}}, {"a", {127, 127, 127}}, {"b", {255, 255, 255}}};

TEST(GrayLevels, ATableOfGraysNamesThem) {
  const MaskPixels mask = gray(over(disc(30, 30, 9, 127), disc(65, 65, 11)));
  EXPECT_EQ(encoding_from_values(use_of(mask), three_levels), MaskEncoding::colors);
  const LabelMap labels = labels_from("f", MaskEncoding::colors, mask, three_levels);
  EXPECT_EQ(labels.labels[30 * side + 30], 1);
  EXPECT_EQ(labels.labels[65 * side + 65], 2);
  EXPECT_EQ(labels.labels[0], 0);
  // Black and white alone is still binary; indices are still indices.
  const std::vector<ClassInfo> two{{"background", {0, 0, 0}}, {"lesion", {255, 255, 255}}};
  EXPECT_EQ(encoding_from_values(set_of(sharp_discs(2)), two), MaskEncoding::binary);
  const std::vector<ClassInfo> indices{
      {"background", {0, 0, 0}}, {"a", {1, 1, 1}}, {"b", {2, 2, 2}}};
  EXPECT_EQ(encoding_from_values(use_of(gray(disc(40, 40, 9, 2))), indices), MaskEncoding::index);
  // A level that the table lacks is named, not rounded.
  const MaskPixels other = gray(over(disc(30, 30, 9, 190), disc(65, 65, 11)));
  EXPECT_ANY_THROW(labels_from("f", MaskEncoding::colors, other, three_levels));
}

// Between two classes where they touch: the nearer one. Forming a patch: no class.
TEST(ColorMasks, SoftEdgesGoToTheNearerColour) {
  const std::vector<ClassInfo> table{{"background", {0, 0, 0}}, {"lesion", {255, 0, 0}}};
  const MaskPixels soft = shrunk(disc(48, 48, 20.3), 4);
  MaskPixels colored = soft;
  colored.values.clear();
  for (const std::uint8_t value : soft.values) {
    colored.colors.insert(colored.colors.end(), {value, 0, 0});
  }
  const LabelMap labels = labels_from("f", MaskEncoding::colors, colored, table);
  for (std::size_t i = 0; i < soft.values.size(); ++i) {
    EXPECT_EQ(labels.labels[i], soft.values[i] > 127 ? 1 : 0) << int{soft.values[i]};
  }
  for (std::size_t y = 10; y < 14; ++y) {
    for (std::size_t x = 10; x < 14; ++x) colored.colors[3 * (y * side + x)] = 128;
  }
  EXPECT_ANY_THROW(labels_from("f", MaskEncoding::colors, colored, table)) << "a patch of 128,0,0";
}

TEST(Objects, FewInEveryMaskAreAQuestion) {
  // One to three objects, numbered; each number is one region.
  std::vector<MaskPixels> masks;
  for (int i = 0; i < 9; ++i) {
    Value value = disc(20, 20, 6, 1);
    if (i % 3 > 0) value = over(value, disc(50, 30, 6, 2));
    if (i % 3 > 1) value = over(value, disc(70, 70, 6, 3));
    masks.push_back(gray(value));
  }
  EXPECT_EQ(decided(masks), std::nullopt);
  const Unclear unclear = why_unclear(set_of(masks));
  EXPECT_NE(unclear.remedy.find("--mask-encoding instances"), std::string::npos);
  // Named classes settle it.
  EXPECT_EQ(encoding_from_values(set_of(masks), make_classes(4, {})), MaskEncoding::index);
  // So do values with several regions.
  masks.push_back(gray(over(disc(20, 20, 6, 1), over(disc(60, 60, 6, 1), disc(40, 80, 5, 2)))));
  masks.push_back(masks.back());
  EXPECT_EQ(decided(masks), MaskEncoding::index);
}

TEST(Objects, OneClassIsNoQuestion) {
  EXPECT_EQ(decided({gray(disc(20, 20, 6, 1)), gray(disc(30, 30, 6, 1))}), MaskEncoding::index);
  EXPECT_EQ(decided({gray(disc(20, 20, 6, 1)), gray(disc(30, 30, 6, 2))}), MaskEncoding::index)
      << "2 without 1 is a class";
}

TEST(MaskEncodings, OnesBeside255InOtherFilesAreTwoEncodings) {
  const MaskUse use = set_of({gray(disc(20, 20, 6, 1)), gray(disc(30, 30, 6, 255))});
  EXPECT_TRUE(mixes_ones_and_255(use));
  EXPECT_FALSE(mixes_ones_and_255(set_of({gray(disc(20, 20, 6, 1))})));
  EXPECT_FALSE(mixes_ones_and_255(set_of({gray(over(disc(9, 9, 6, 1), disc(60, 60, 6, 255)))})));
  EXPECT_FALSE(mixes_ones_and_255(set_of({gray(disc(20, 20, 6, 2)), gray(disc(30, 30, 6, 255))})));
}

MaskPixels palette(const std::vector<std::uint8_t>& indices, const std::vector<Color>& colors) {
  MaskPixels out;
  out.width = static_cast<std::int64_t>(indices.size());
  out.height = 1;
  out.values = out.indices = indices;
  out.palette = colors;
  return out;
}

TEST(Palettes, ThatDifferAreNeverReadByIndex) {
  const Color black{0, 0, 0};
  const Color red{255, 0, 0};
  const Color green{0, 255, 0};
  MaskUse use = use_of(palette({0, 1, 2}, {black, red, green}), "a.png");
  EXPECT_EQ(encoding_from_values(use), MaskEncoding::palette);
  use.add(use_of(palette({0, 1, 0}, {black, green, red}), "b.png"));
  EXPECT_EQ(encoding_from_values(use), std::nullopt);
  const Unclear unclear = why_unclear(use);
  for (const char* word : {"a.png", "b.png", "255,0,0", "0,255,0", "index 1"}) {
    EXPECT_NE(unclear.what.find(word), std::string::npos) << unclear.what;
  }
  const std::vector<ClassInfo> table{{"background", black}, {"b", green}, {"a", red}};
  EXPECT_EQ(encoding_from_values(use, table), MaskEncoding::colors);
  EXPECT_EQ(
      labels_from("a.png", MaskEncoding::colors, palette({0, 1, 2}, {black, red, green}), table)
          .labels,
      (std::vector<std::uint8_t>{0, 2, 1}));
  // An index that only one of them uses cannot disagree.
  MaskUse apart = use_of(palette({0, 1}, {black, red, green}));
  apart.add(use_of(palette({0, 1}, {black, red, black})));
  EXPECT_EQ(encoding_from_values(apart), MaskEncoding::palette);
}

// The table's order counts, not the palette's.
TEST(Palettes, InAnotherOrderThanTheTableGoByColour) {
  const Color red{255, 0, 0};
  const Color green{0, 255, 0};
  const std::vector<ClassInfo> table{{"background", {0, 0, 0}}, {"b", green}, {"a", red}};
  const MaskPixels mask = palette({0, 1, 2, 255}, [&] {
    std::vector<Color> colors(256, Color{224, 224, 192});
    colors[0] = {0, 0, 0};
    colors[1] = red;
    colors[2] = green;
    return colors;
  }());
  EXPECT_EQ(encoding_from_values(use_of(mask), table), MaskEncoding::colors);
  EXPECT_EQ(labels_from("f", MaskEncoding::colors, mask, table).labels,
            (std::vector<std::uint8_t>{0, 2, 1, ignore_label}));
}

MaskPixels colors(const std::vector<Color>& pixels) {
  MaskPixels out;
  out.width = static_cast<std::int64_t>(pixels.size());
  out.height = 1;
  for (const Color& one : pixels) out.colors.insert(out.colors.end(), one.begin(), one.end());
  return out;
}

TEST(OneHot, ChannelsOfOnesAreClasses) {
  const MaskPixels mask = colors({{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
  EXPECT_EQ(encoding_from_values(use_of(mask)), MaskEncoding::one_hot);
  EXPECT_EQ(class_count(MaskEncoding::one_hot, use_of(mask)), 4U);
  EXPECT_EQ(labels_from("f", MaskEncoding::one_hot, mask, {}).labels,
            (std::vector<std::uint8_t>{0, 1, 2, 3}));
  const MaskPixels both = colors({{0, 0, 0}, {1, 1, 0}});
  EXPECT_EQ(encoding_from_values(use_of(both)), std::nullopt);
  EXPECT_NE(why_unclear(use_of(both)).what.find("channels"), std::string::npos);
  EXPECT_ANY_THROW(labels_from("f", MaskEncoding::one_hot, both, {}));
  EXPECT_EQ(encoding_from_values(use_of(colors({{0, 0, 0}, {255, 0, 0}}))), std::nullopt);
}

}  // namespace
}  // namespace medurwkv::data
