// The centred ellipse: its raster by symmetry and area, its fit by recovering known ellipses.
#include "judge/constant_guess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/model_description.h"
#include "core/random.h"
#include "judge/metrics.h"

namespace medurwkv::judge {
namespace {

double mean_dice(const std::vector<data::LabelMap>& masks, const Ellipse& ellipse) {
  double sum = 0;
  for (const data::LabelMap& mask : masks) {
    sum += merged_dice(mask, rasterise(ellipse, {mask.width, mask.height})).value();
  }
  return sum / static_cast<double>(masks.size());
}

TEST(Rasterise, HasTheEllipsesAreaAndSymmetry) {
  const data::LabelMap map = rasterise({0.3, 0.2}, {301, 200});
  const auto inside = std::count(map.labels.begin(), map.labels.end(), 1);
  EXPECT_NEAR(static_cast<double>(inside) / (301 * 200), std::numbers::pi * 0.3 * 0.2, 0.002);
  auto turned = map.labels;
  std::reverse(turned.begin(), turned.end());
  EXPECT_EQ(turned, map.labels);
}

TEST(Rasterise, LargeAxesCoverTheImage) {
  const data::LabelMap map = rasterise({0.74, 0.74}, {64, 48});
  EXPECT_EQ(std::count(map.labels.begin(), map.labels.end(), 1), 64 * 48);
}

// Masks that are one ellipse in images of several sizes: the fit finds it again.
TEST(EllipseFit, RecoversAnEllipse) {
  for (const Ellipse expected : {Ellipse{0.31, 0.17}, Ellipse{0.1, 0.4}, Ellipse{0.55, 0.3}}) {
    EllipseFit fit;
    std::vector<data::LabelMap> masks;
    for (const data::ImageSize size : {data::ImageSize{256, 256}, {400, 300}, {201, 333}}) {
      masks.push_back(rasterise(expected, size));
      fit.add(masks.back());
    }
    const Ellipse got = fit.fit();
    EXPECT_EQ(fit.count(), 3);
    EXPECT_NEAR(got.semi_axis_x, expected.semi_axis_x, 0.02);
    EXPECT_NEAR(got.semi_axis_y, expected.semi_axis_y, 0.02);
    EXPECT_GT(mean_dice(masks, got), 0.98);
  }
}

// On masks that are no ellipses: no ellipse of a fine grid, scored at full resolution, is better by
// more than the cells' coarseness allows.
TEST(EllipseFit, IsTheBestOfAGrid) {
  const Random random({5});
  std::vector<data::LabelMap> masks;
  EllipseFit fit;
  for (std::uint64_t m = 0; m < 8; ++m) {
    data::LabelMap mask{96, 80, std::vector<std::uint8_t>(96 * 80, 0)};
    const auto left = static_cast<std::int64_t>(random.below(4 * m, 50));
    const auto top = static_cast<std::int64_t>(random.below(4 * m + 1, 40));
    const auto right = left + 10 + static_cast<std::int64_t>(random.below(4 * m + 2, 36));
    const auto bottom = top + 10 + static_cast<std::int64_t>(random.below(4 * m + 3, 30));
    for (std::int64_t y = top; y < bottom; ++y) {
      for (std::int64_t x = left; x < right; ++x) {
        mask.labels[static_cast<std::size_t>(y * 96 + x)] = static_cast<std::uint8_t>(1 + m % 2);
      }
    }
    fit.add(mask);
    masks.push_back(std::move(mask));
  }
  double best = 0;
  for (int x = 1; x < 37; ++x) {
    for (int y = 1; y < 37; ++y) best = std::max(best, mean_dice(masks, {0.02 * x, 0.02 * y}));
  }
  EXPECT_GT(mean_dice(masks, fit.fit()), best - 0.005);
}

// A bar at the top and bottom is ignored. The truth is an ellipse cut off by those bars; only when
// they are left out does the tall ellipse explain it perfectly.
TEST(EllipseFit, LeavesIgnoredPixelsOut) {
  const Ellipse tall{0.25, 0.45};
  data::LabelMap ignoring = rasterise(tall, {128, 128});
  data::LabelMap cut = ignoring;
  for (std::size_t i = 0; i < cut.labels.size(); ++i) {
    if (i / 128 >= 32 && i / 128 < 96) continue;
    ignoring.labels[i] = ignore_label;
    cut.labels[i] = 0;
  }
  EllipseFit with_ignored;
  with_ignored.add(ignoring);
  EllipseFit with_background;
  with_background.add(cut);
  EXPECT_GT(merged_dice(ignoring, rasterise(with_ignored.fit(), {128, 128})).value(), 0.98);
  EXPECT_LT(with_background.fit().semi_axis_y, 0.35);
  EXPECT_GT(with_ignored.fit().semi_axis_y, 0.4);
}

TEST(EllipseFit, EmptyMasksDoNotCount) {
  EllipseFit fit;
  fit.add({4, 4, std::vector<std::uint8_t>(16, 0)});
  fit.add({4, 4, std::vector<std::uint8_t>(16, ignore_label)});
  EXPECT_EQ(fit.count(), 0);
  EXPECT_THROW(static_cast<void>(fit.fit()), Error);
}

}  // namespace
}  // namespace medurwkv::judge
