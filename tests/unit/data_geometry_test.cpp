// Resizing and the input contract against hand-computed values and the laws of interpolation:
// ramps, means, mirrors, axes that are independent of each other.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "data/image/geometry.h"
#include "support/images.h"
#include "support/refusal.h"
#include "support/resize_golden.h"

namespace medurwkv::data {
namespace {

std::vector<float> random_plane(ImageSize size, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<float> out(static_cast<std::size_t>(size.width * size.height));
  for (float& value : out) value = static_cast<float>(bits() >> 8) * 0x1p-24F;
  return out;
}

std::vector<float> mirrored(const std::vector<float>& plane, ImageSize size) {
  std::vector<float> out(plane.size());
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      out[static_cast<std::size_t>(y * size.width + x)] =
          plane[static_cast<std::size_t>(y * size.width + size.width - 1 - x)];
    }
  }
  return out;
}

std::vector<float> transposed(const std::vector<float>& plane, ImageSize size) {
  std::vector<float> out(plane.size());
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      out[static_cast<std::size_t>(x * size.height + y)] =
          plane[static_cast<std::size_t>(y * size.width + x)];
    }
  }
  return out;
}

template <class Expected>
void expect_near(const std::vector<float>& got, const std::vector<Expected>& expected,
                 double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(got[i]), static_cast<double>(expected[i]), tolerance) << i;
  }
}

double mean(const std::vector<float>& plane) {
  double sum = 0;
  for (const float value : plane) sum += static_cast<double>(value);
  return sum / static_cast<double>(plane.size());
}

/// x + 2 y at the corners of 2 x 2: along an axis the results are `axis`, so the map is
/// axis[x] + 2 axis[y].
std::vector<double> from_axis(const std::vector<double>& axis) {
  std::vector<double> out;
  for (const double y : axis) {
    for (const double x : axis) out.push_back(x + 2 * y);
  }
  return out;
}

// Values of Pillow and NumPy (scripts/make-golden-resize).
TEST(Resize, AgreesWithOtherImplementations) {
  const ImageSize from{9, 7};
  expect_near(resize_planes(test::plane_9x7, 1, from, {5, 4}), test::area_5x4, 1e-6);
  expect_near(resize_bilinear(test::plane_9x7, 1, from, {23, 16}), test::bilinear_23x16, 1e-6);
  const std::vector<float> bicubic = resize_planes(test::plane_9x7, 1, from, {23, 16});
  for (std::size_t y = 4; y < 12; ++y) {  // two source pixels from each border
    for (std::size_t x = 5; x < 18; ++x) {
      EXPECT_NEAR(bicubic[y * 23 + x], test::bicubic_23x16[y * 23 + x], 1e-6) << x << " " << y;
    }
  }
  const auto value = [](auto x, auto y) {
    return static_cast<int>((x * 37 + y * 101 + x * y * 13) % 97);
  };
  const LabelMap nearest = resize_nearest(test::make_labels(9, 7, value), {4, 11});
  for (std::size_t i = 0; i < nearest.labels.size(); ++i) {
    EXPECT_NEAR(nearest.labels[i], 97 * test::nearest_4x11[i], 1e-4) << i;
  }
}

// Output centres lie at -1/4, 1/4, 3/4, 5/4; outside, the border holds.
TEST(ResizeBilinear, TwoByTwoToFourByFourByHand) {
  expect_near(resize_bilinear({0, 1, 2, 3}, 1, {2, 2}, {4, 4}), from_axis({0, 0.25, 0.75, 1}),
              1e-6);
}

// Keys' kernel with a = -1/2 has k(1/4) = 111/128, k(3/4) = 29/128, k(5/4) = -9/128,
// k(7/4) = -3/128. With borders repeated, the right pixel's weight is k(5/4) at -1/4 and
// k(3/4) + k(7/4) at 1/4; the other two follow from symmetry.
TEST(ResizePlanes, GrowsTwoByTwoToFourByFourByHand) {
  const double outer = -9.0 / 128;
  const double inner = (29.0 - 3.0) / 128;
  expect_near(resize_planes({0, 1, 2, 3}, 1, {2, 2}, {4, 4}),
              from_axis({outer, inner, 1 - inner, 1 - outer}), 1e-6);
}

// Both interpolations reproduce a straight line away from the borders (their kernels sum to 1 and
// have no first moment), and the mean over whole pixels of a line is its value in the middle.
TEST(Resize, KeepsALinearRamp) {
  std::vector<float> ramp(12);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  for (const std::int64_t to : {1, 3, 4, 6, 12, 17, 31, 48}) {
    const double scale = 12.0 / static_cast<double>(to);
    const std::vector<float> planes = resize_planes(ramp, 1, {12, 1}, {to, 1});
    const std::vector<float> bilinear = resize_bilinear(ramp, 1, {12, 1}, {to, 1});
    for (std::int64_t i = 0; i < to; ++i) {
      const double centre = (static_cast<double>(i) + 0.5) * scale - 0.5;
      const auto at = static_cast<std::size_t>(i);
      if (centre >= 0 && centre <= 11) {
        EXPECT_NEAR(bilinear[at], centre, 1e-5) << to << " " << i;
      }
      if (to < 12 || (centre >= 1 && centre <= 10)) {
        EXPECT_NEAR(planes[at], centre, 1e-5) << to << " " << i;
      }
    }
  }
}

// Outputs cover 2.4 pixels each: 0 1 and 0.4 of 2, 0.6 of 2, 3 and 0.8 of 4, and so on.
TEST(ResizePlanes, PartsOfPixelsCountInPart) {
  std::vector<float> ramp(12);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
  expect_near(resize_planes(ramp, 1, {12, 1}, {5, 1}),
              std::vector<double>{(0 + 1 + 0.4 * 2) / 2.4, (0.6 * 2 + 3 + 0.8 * 4) / 2.4,
                                  (0.2 * 4 + 5 + 6 + 0.2 * 7) / 2.4, (0.8 * 7 + 8 + 0.6 * 9) / 2.4,
                                  (0.4 * 9 + 10 + 11) / 2.4},
              1e-5);
}

// Every source pixel takes part with the same weight when both axes shrink by area.
TEST(ResizePlanes, ShrinkingKeepsTheMean) {
  const ImageSize from{31, 23};
  const std::vector<float> plane = random_plane(from, 1);
  for (const ImageSize to :
       {ImageSize{30, 22}, ImageSize{17, 5}, ImageSize{2, 3}, ImageSize{1, 1}, ImageSize{31, 1}}) {
    EXPECT_NEAR(mean(resize_planes(plane, 1, from, to)), mean(plane), 1e-6)
        << to.width << " x " << to.height;
  }
}

TEST(ResizePlanes, ShrinkingStaysWithinTheValues) {
  const ImageSize from{29, 13};
  for (const float value : resize_planes(random_plane(from, 2), 1, from, {10, 7})) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 1);
  }
}

TEST(Resize, TreatsLeftAsRightAndRowsAsColumns) {
  const ImageSize from{9, 7};
  const std::vector<float> plane = random_plane(from, 3);
  for (const ImageSize to : {ImageSize{4, 3}, ImageSize{20, 15}, ImageSize{5, 19}}) {
    for (const auto resize : {resize_planes, resize_bilinear}) {
      const std::vector<float> plain = resize(plane, 1, from, to);
      expect_near(resize(mirrored(plane, from), 1, from, to), mirrored(plain, to), 2e-6);
      expect_near(resize(transposed(plane, from), 1, {7, 9}, {to.height, to.width}),
                  transposed(plain, to), 2e-6);
    }
  }
}

TEST(Resize, IsLinearInTheImage) {
  const ImageSize from{6, 5};
  const ImageSize to{11, 3};
  const std::vector<float> a = random_plane(from, 4);
  const std::vector<float> b = random_plane(from, 5);
  std::vector<float> sum(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) sum[i] = 2 * a[i] - b[i];
  for (const auto resize : {resize_planes, resize_bilinear}) {
    const std::vector<float> of_a = resize(a, 1, from, to);
    const std::vector<float> of_b = resize(b, 1, from, to);
    std::vector<double> expected;
    for (std::size_t i = 0; i < of_a.size(); ++i) {
      expected.push_back(2.0 * static_cast<double>(of_a[i]) - static_cast<double>(of_b[i]));
    }
    expect_near(resize(sum, 1, from, to), expected, 5e-6);
  }
}

TEST(Resize, ChannelsDoNotMix) {
  const ImageSize from{5, 4};
  const ImageSize to{8, 3};
  std::vector<float> both = random_plane(from, 6);
  const std::vector<float> first = both;
  const std::vector<float> second = random_plane(from, 7);
  both.insert(both.end(), second.begin(), second.end());
  for (const auto resize : {resize_planes, resize_bilinear}) {
    std::vector<float> expected = resize(first, 1, from, to);
    const std::vector<float> rest = resize(second, 1, from, to);
    expected.insert(expected.end(), rest.begin(), rest.end());
    EXPECT_EQ(resize(both, 2, from, to), expected);
  }
}

// Output i takes the pixel that holds its centre: floor((i + 1/2) from / to).
TEST(ResizeNearest, TakesThePixelUnderTheCentre) {
  const auto row = [](std::int64_t from, std::int64_t to) {
    return resize_nearest(
               test::make_labels(from, 1, [](auto x, auto) { return static_cast<int>(x); }),
               {to, 1})
        .labels;
  };
  using Row = std::vector<std::uint8_t>;
  EXPECT_EQ(row(5, 3), (Row{0, 2, 4}));        // 0.83, 2.5, 4.17
  EXPECT_EQ(row(3, 5), (Row{0, 0, 1, 2, 2}));  // 0.3, 0.9, 1.5, 2.1, 2.7
  EXPECT_EQ(row(7, 2), (Row{1, 5}));           // 1.75, 5.25
  EXPECT_EQ(row(1, 4), (Row{0, 0, 0, 0}));
  EXPECT_EQ(row(6, 1), (Row{3}));  // 3.0
}

TEST(ResizeNearest, InventsNoLabelAndKeepsTheSame) {
  const LabelMap map = test::make_labels(
      13, 9, [](auto x, auto y) { return (x * y) % 3 == 0 ? 255 : static_cast<int>(x % 2) * 7; });
  EXPECT_EQ(resize_nearest(map, {13, 9}), map);
  for (const ImageSize to : {ImageSize{4, 4}, ImageSize{40, 31}, ImageSize{13, 2}}) {
    for (const std::uint8_t label : resize_nearest(map, to).labels) {
      EXPECT_TRUE(label == 0 || label == 7 || label == 255) << static_cast<int>(label);
    }
  }
}

TEST(ImagePlanes, SixteenBitsAndOtherChannels) {
  // 0xffff and 0x3333, in any byte order.
  const Image deep{.width = 2,
                   .height = 1,
                   .channels = 1,
                   .type = SampleType::u16,
                   .bytes = {0xff, 0xff, 0x33, 0x33}};
  expect_near(image_planes(deep, 1).values, std::vector<double>{1, 0.2}, 1e-7);
  const Image color = test::make_image(1, 1, 3, [](auto, auto, auto) { return 1; });
  const auto refused = test::refusal_of([&] { return image_planes(color, 2).channels; });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::failure);
  EXPECT_TRUE(refused->names("3") && refused->names("2")) << refused->message;
}

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

TEST(ImagePlanes, ScaleAndConvertColours) {
  const Image gray = test::make_image(2, 1, 1, [](auto x, auto, auto) { return x == 0 ? 0 : 255; });
  EXPECT_EQ(image_planes(gray, 3).values, (std::vector<float>{0, 1, 0, 1, 0, 1}));
  const Image color =
      test::make_image(1, 1, 3, [](auto, auto, auto c) { return c == 1 ? 255 : 0; });
  EXPECT_EQ(image_planes(color, 3).values, (std::vector<float>{0, 1, 0}));
}

TEST(NetworkInput, ObeysTheContract) {
  const Image image =
      test::make_image(6, 4, 3, [](auto, auto, auto c) { return c == 0 ? 255 : 0; });
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

// 0 is the window's lower end, 1 its upper; 16-bit values are meant as stored.
TEST(ImagePlanes, AWindowSaysWhatIsZeroAndOne) {
  const Image deep{.width = 2,
                   .height = 2,
                   .channels = 1,
                   .type = SampleType::u16,
                   .bytes = {0, 0, 0xff, 0xff, 0x33, 0x33, 0x66, 0x66}};  // 0 65535 13107 26214
  expect_near(image_planes(deep, 1, {Window{13107, 39321}}).values,
              std::vector<double>{0, 1, 0, 0.5}, 1e-6);
  Image floats{.width = 2, .height = 1, .channels = 1, .type = SampleType::f32, .bytes = {}};
  const std::vector<float> stored{-160, 40};
  floats.bytes.resize(8);
  std::memcpy(floats.bytes.data(), stored.data(), 8);
  expect_near(image_planes(floats, 1, {Window{-160, 240}}).values, std::vector<double>{0, 0.5},
              1e-6);
}

TEST(ImagePlanes, FloatsThatAreNotFiniteAreRefused) {
  Image floats{.width = 1, .height = 1, .channels = 1, .type = SampleType::f32, .bytes = {}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  floats.bytes.resize(4);
  std::memcpy(floats.bytes.data(), &nan, 4);
  const auto refused = test::refusal_of([&] { return image_planes(floats, 3).channels; });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("not finite")) << refused->message;
}

// The blocks at the right and lower border are smaller.
TEST(ImagePlanes, BlocksAreMeans) {
  const Image image =
      test::make_image(5, 3, 3, [](auto x, auto y, auto c) { return (x + 5 * y) * 10 + c; });
  const Planes got = image_planes(image, 3, {}, 2, 2);
  ASSERT_EQ(got.size, (ImageSize{3, 2}));
  std::vector<double> expected;
  for (int c = 0; c < 3; ++c) {
    for (const double mean : {30.0, 50.0, 65.0, 105.0, 125.0, 140.0}) {
      expected.push_back((mean + c) / 255);
    }
  }
  expect_near(got.values, expected, 1e-6);
}

InputContract contract_of(Fit fit, std::int64_t width, std::int64_t height) {
  InputContract out;
  out.fit = fit;
  out.width = width;
  out.height = height;
  out.channels = 1;
  out.mean = {0.25};
  out.deviation = {0.5};
  return out;
}

TEST(PlacementOf, EachFitByHand) {
  EXPECT_EQ(placement_of(contract_of(Fit::stretch, 8, 4), {100, 30}),
            (Placement{{8, 4}, {8, 4}, 0, 0}));
  EXPECT_EQ(placement_of(contract_of(Fit::tile, 8, 4), {100, 30}),
            placement_of(contract_of(Fit::native, 8, 4), {100, 30}));
  EXPECT_EQ(placement_of(contract_of(Fit::native, 8, 4), {100, 30}),
            (Placement{{100, 30}, {100, 30}, 0, 0}));
  EXPECT_EQ(placement_of(contract_of(Fit::pad, 16, 16), {100, 50}),
            (Placement{{16, 16}, {16, 8}, 0, 4}));
  EXPECT_EQ(placement_of(contract_of(Fit::pad, 16, 15), {5, 10}),
            (Placement{{16, 15}, {8, 15}, 4, 0}));  // 7.5 is 8
  EXPECT_EQ(placement_of(contract_of(Fit::pad, 16, 16), {1000, 1}),
            (Placement{{16, 16}, {16, 1}, 0, 7}));
}

TEST(NetworkInput, PadKeepsTheAspectRatioAndIgnoresTheRest) {
  const InputContract contract = contract_of(Fit::pad, 8, 8);
  const Image white = test::make_image(16, 8, 1, [](auto, auto, auto) { return 255; });
  const LabelMap ones = test::make_labels(16, 8, [](auto, auto) { return 1; });
  const std::vector<float> input = to_network_input(white, contract);
  const LabelMap labels = to_network_labels(ones, contract);
  ASSERT_EQ(input.size(), 64U);
  ASSERT_EQ(labels.labels.size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) {
    const bool inside = i / 8 >= 2 && i / 8 < 6;
    EXPECT_NEAR(input[i], inside ? 1.5 : 0, 1e-6) << i;
    EXPECT_EQ(labels.labels[i], inside ? 1 : ignore_label) << i;
  }
}

TEST(NetworkInput, NativeIsTheImageItself) {
  const Image image = test::make_image(7, 3, 1, [](auto x, auto, auto) { return 20 * x; });
  const std::vector<float> input = to_network_input(image, contract_of(Fit::native, 64, 64));
  ASSERT_EQ(input.size(), 21U);
  EXPECT_NEAR(input[8], (20.0 / 255 - 0.25) / 0.5, 1e-6);
}

// What comes back is what went in: a ramp over the content, whatever is beside it, is a ramp over
// the image, and a picture of the image's own size comes back as it is.
TEST(ToImageSize, UndoesEachFit) {
  const ImageSize image{30, 12};
  for (const Fit fit : {Fit::stretch, Fit::pad, Fit::native}) {
    const Placement where = placement_of(contract_of(fit, 20, 10), image);
    const double scale =
        static_cast<double>(image.width) / static_cast<double>(where.content.width);
    std::vector<float> planes;
    for (std::int64_t i = 0; i < 2 * where.input.width * where.input.height; ++i) {
      const std::int64_t x = i % where.input.width;
      const std::int64_t y = i / where.input.width % where.input.height;
      const bool inside = x >= where.left && x < where.left + where.content.width &&
                          y >= where.top && y < where.top + where.content.height;
      const double ramp = (static_cast<double>(x - where.left) + 0.5) * scale - 0.5;
      planes.push_back(inside ? static_cast<float>(ramp) : 1e6F);
    }
    const std::vector<float> back = to_image_size(planes, 2, where, image);
    ASSERT_EQ(back.size(), 2U * 30 * 12);
    for (std::size_t i = 0; i < back.size(); ++i) {
      const std::size_t x = i % 30;
      if (x < 1 || x > 28) continue;  // half an input pixel at the border is held
      EXPECT_NEAR(back[i], static_cast<double>(x), 1e-4) << i;
    }
  }
}

Image floats(const std::vector<float>& values) {
  Image out{.width = std::ssize(values),
            .height = 1,
            .channels = 1,
            .type = SampleType::f32,
            .bytes = {}};
  out.bytes.resize(values.size() * sizeof(float));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

// 0 to 255 as floats would reach a network 255 times too large; the named window is the remedy.
TEST(Floats, FarFromOneNeedAWindow) {
  for (const auto& values : {std::vector<float>{0, 128, 255}, {-1000, 0, 3000}}) {
    const auto refused = test::refusal_of([&] { return image_planes(floats(values), 1).channels; });
    ASSERT_TRUE(refused);
    const std::string named = window_for(values.front(), values.back());
    EXPECT_TRUE(refused->names(named)) << refused->message;
    const Window window{values.front(), values.back()};
    const Planes planes = image_planes(floats(values), 1, {window});
    EXPECT_FLOAT_EQ(planes.values.front(), 0);
    EXPECT_FLOAT_EQ(planes.values.back(), 1);
  }
  EXPECT_EQ(window_for(0, 200), "--set input.window_low=0 --set input.window_high=255");
  EXPECT_EQ(window_for(-1000.5F, 3000),
            "--set input.window_low=-1001 --set input.window_high=3000");
  for (const auto& values : {std::vector<float>{0, 0.5, 1}, {-4, 0, 9}}) {
    EXPECT_EQ(image_planes(floats(values), 1).values, values);
  }
}

}  // namespace
}  // namespace medurwkv::data
