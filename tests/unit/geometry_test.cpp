// Resizing and the input contract: hand-computed values and laws.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "data/image.h"
#include "support/images.h"

namespace medurwkv::data {
namespace {

using test::make_image;
using test::make_labels;

TEST(ResizePlanes, KeepsAConstant) {
  const std::vector<float> planes(2 * 5 * 7, 0.3F);
  for (const ImageSize to :
       {ImageSize{7, 5}, ImageSize{3, 2}, ImageSize{20, 11}, ImageSize{1, 1}}) {
    for (const float value : resize_planes(planes, 2, {7, 5}, to)) EXPECT_NEAR(value, 0.3, 1e-6);
    for (const float value : resize_bilinear(planes, 2, {7, 5}, to)) EXPECT_NEAR(value, 0.3, 1e-6);
  }
}

TEST(ResizePlanes, SameSizeIsTheSame) {
  const std::vector<float> planes{0.1F, 0.9F, 0.4F, 0.2F, 0.7F, 0.5F};
  EXPECT_EQ(resize_planes(planes, 1, {3, 2}, {3, 2}), planes);
  EXPECT_EQ(resize_bilinear(planes, 1, {3, 2}, {3, 2}), planes);
}

// Shrinking by area: every output is the mean over the pixels (and parts of pixels) that it covers.
TEST(ResizePlanes, ShrinksByArea) {
  const std::vector<float> halves = resize_planes({1, 2, 3, 4, 5, 6, 7, 8}, 1, {4, 2}, {2, 1});
  ASSERT_EQ(halves.size(), 2U);
  EXPECT_NEAR(halves[0], (1 + 2 + 5 + 6) / 4.0, 1e-6);
  EXPECT_NEAR(halves[1], (3 + 4 + 7 + 8) / 4.0, 1e-6);
  const std::vector<float> thirds = resize_planes({1, 2, 3}, 1, {3, 1}, {2, 1});
  EXPECT_NEAR(thirds[0], (1 + 0.5 * 2) / 1.5, 1e-6);
  EXPECT_NEAR(thirds[1], (3 + 0.5 * 2) / 1.5, 1e-6);
}

// Centres of the outputs lie at -1/4, 1/4, 3/4, 5/4 of the inputs' centres; borders clamp.
TEST(ResizeBilinear, AlignsPixelCentres) {
  const std::vector<float> out = resize_bilinear({0, 1}, 1, {2, 1}, {4, 1});
  const std::vector<double> expected{0, 0.25, 0.75, 1};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(out[i], expected[i], 1e-6);
}

TEST(ResizeNearest, TakesWholeLabels) {
  const LabelMap map = make_labels(2, 2, [](auto x, auto y) { return x + 2 * y; });
  EXPECT_EQ(resize_nearest(map, {4, 4}),
            make_labels(4, 4, [](auto x, auto y) { return x / 2 + 2 * (y / 2); }));
  EXPECT_EQ(resize_nearest(resize_nearest(map, {6, 10}), {2, 2}), map);
}

TEST(ImagePlanes, ScaleAndConvertColours) {
  const Image gray = make_image(2, 1, 1, [](auto x, auto, auto) { return x == 0 ? 0 : 255; });
  EXPECT_EQ(image_planes(gray, 3), (std::vector<float>{0, 1, 0, 1, 0, 1}));
  const Image color = make_image(1, 1, 3, [](auto, auto, auto c) { return c == 1 ? 255 : 0; });
  EXPECT_EQ(image_planes(color, 3), (std::vector<float>{0, 1, 0}));
  EXPECT_NEAR(image_planes(color, 1).at(0), 0.587, 1e-3) << "green's part of luma (BT.601)";
}

TEST(NetworkInput, ObeysTheContract) {
  const Image image = make_image(6, 4, 3, [](auto, auto, auto c) { return c == 0 ? 255 : 0; });
  InputContract contract;
  contract.width = 3;
  contract.height = 2;
  contract.mean = {0.5, 0.25, 0};
  contract.deviation = {0.5, 0.5, 2};
  const std::vector<float> input = to_network_input(image, contract);
  ASSERT_EQ(input.size(), 18U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(input[i], 1, 1e-6);
    EXPECT_NEAR(input[6 + i], -0.5, 1e-6);
    EXPECT_NEAR(input[12 + i], 0, 1e-6);
  }
}

}  // namespace
}  // namespace medurwkv::data
