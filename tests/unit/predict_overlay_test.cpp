// Overlays: where they paint and where they must not.
#include "predict/overlay.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::predict {
namespace {

using Rgb = std::array<int, 3>;

Rgb at(const data::Image& image, std::int64_t x, std::int64_t y) {
  const auto i = static_cast<std::size_t>((y * image.width + x) * 3);
  return {image.bytes[i], image.bytes[i + 1], image.bytes[i + 2]};
}

data::Image gray(std::int64_t width, std::int64_t height, unsigned char value) {
  return {width, height, 1, data::SampleType::u8,
          std::vector<unsigned char>(static_cast<std::size_t>(width * height), value)};
}

data::LabelMap square(std::int64_t width, std::int64_t height, std::int64_t low,
                      std::int64_t high) {
  data::LabelMap map{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      map.labels.push_back(x >= low && x < high && y >= low && y < high ? 1 : 0);
    }
  }
  return map;
}

// Gray 100 under (200, 0, 40): 0.65 * 100 + 0.35 * colour = 135, 65, 79; the outline has the full
// colour; the background is untouched.
TEST(Overlay, TintsAndOutlines) {
  const data::Image got =
      overlay(gray(7, 7, 100), square(7, 7, 2, 5), {{"background", {}}, {"a", {200, 0, 40}}});
  EXPECT_EQ(got.channels, 3);
  EXPECT_EQ(at(got, 0, 0), (Rgb{100, 100, 100}));
  EXPECT_EQ(at(got, 1, 3), (Rgb{100, 100, 100}));
  EXPECT_EQ(at(got, 2, 2), (Rgb{200, 0, 40}));
  EXPECT_EQ(at(got, 2, 3), (Rgb{200, 0, 40}));
  EXPECT_EQ(at(got, 3, 3), (Rgb{135, 65, 79}));
}

// Hounsfield units: the smallest is black and the largest white.
TEST(Overlay, ShowsFloatsFarFromOneOverTheirRange) {
  data::Image image{
      .width = 3, .height = 1, .channels = 1, .type = data::SampleType::f32, .bytes = {}};
  for (const float value : {-1000.0F, 0.0F, 1000.0F}) {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&value);
    image.bytes.insert(image.bytes.end(), bytes, bytes + sizeof(value));
  }
  const data::LabelMap nothing{.width = 3, .height = 1, .labels = {0, 0, 0}};
  EXPECT_EQ(overlay(image, nothing, {{"background", {}}}).bytes,
            (std::vector<unsigned char>{0, 0, 0, 128, 128, 128, 255, 255, 255}));
  EXPECT_EQ(comparison(image, nothing, nothing, 512).bytes,
            (std::vector<unsigned char>{0, 0, 0, 128, 128, 128, 255, 255, 255}));
}

TEST(Overlay, LeavesIgnoredAndUnknownLabelsAlone) {
  data::LabelMap map = square(3, 1, 0, 0);
  map.labels = {ignore_label, 7, 0};
  const data::Image got = overlay(gray(3, 1, 50), map, {{"background", {}}, {"a", {255, 0, 0}}});
  for (std::int64_t x = 0; x < 3; ++x) EXPECT_EQ(at(got, x, 0), (Rgb{50, 50, 50}));
}

TEST(Overlay, ClampsFloatSamples) {
  const std::array<float, 3> values{-4, 1e9F, std::numeric_limits<float>::quiet_NaN()};
  data::Image image{3, 1, 1, data::SampleType::f32, std::vector<unsigned char>(sizeof(values))};
  std::memcpy(image.bytes.data(), values.data(), sizeof(values));
  const data::Image got = overlay(image, square(3, 1, 0, 0), {{"background", {}}});
  EXPECT_EQ(at(got, 0, 0), (Rgb{0, 0, 0}));
  EXPECT_EQ(at(got, 1, 0), (Rgb{255, 255, 255}));
  EXPECT_EQ(at(got, 2, 0), (Rgb{0, 0, 0}));
}

TEST(Overlay, RefusesAMaskOfAnotherSize) {
  EXPECT_THROW(overlay(gray(3, 3, 0), square(3, 2, 0, 1), {{"background", {}}}), Error);
  EXPECT_THROW(comparison(gray(3, 3, 0), square(3, 3, 0, 1), square(2, 3, 0, 1), 100), Error);
}

// Truth and prediction apart: each outline has its own colour. Equal: both colours alternate along
// it. Inside and outside the image shows.
TEST(Comparison, TellsTruthFromPrediction) {
  const Rgb blue{truth_color[0], truth_color[1], truth_color[2]};
  const Rgb orange{prediction_color[0], prediction_color[1], prediction_color[2]};
  const data::Image apart =
      comparison(gray(30, 30, 9), square(30, 30, 2, 10), square(30, 30, 15, 25), 100);
  EXPECT_EQ(at(apart, 2, 5), blue);
  EXPECT_EQ(at(apart, 15, 20), orange);
  EXPECT_EQ(at(apart, 5, 5), (Rgb{9, 9, 9}));
  const data::Image equal =
      comparison(gray(30, 30, 9), square(30, 30, 5, 25), square(30, 30, 5, 25), 100);
  int truth = 0;
  int prediction = 0;
  for (std::int64_t y = 5; y < 25; ++y) {
    truth += at(equal, 5, y) == blue ? 1 : 0;
    prediction += at(equal, 5, y) == orange ? 1 : 0;
  }
  EXPECT_EQ(truth + prediction, 20);
  EXPECT_GE(truth, 8);
  EXPECT_GE(prediction, 8);
}

TEST(Comparison, ShrinksButNeverEnlarges) {
  const data::Image small =
      comparison(gray(200, 100, 9), square(200, 100, 0, 9), square(200, 100, 0, 9), 50);
  EXPECT_EQ(small.width, 50);
  EXPECT_EQ(small.height, 25);
  const data::Image thin =
      comparison(gray(400, 1, 9), square(400, 1, 0, 9), square(400, 1, 0, 9), 50);
  EXPECT_EQ(thin.height, 1);
  EXPECT_EQ(comparison(gray(20, 10, 9), square(20, 10, 0, 9), square(20, 10, 0, 9), 50).width, 20);
}

}  // namespace
}  // namespace medurwkv::predict
