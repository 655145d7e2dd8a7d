// Windows by name, and windows that follow from values: against numbers worked out by hand.
#include "data/image/levels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "data/feed/augment.h"
#include "data/feed/view.h"
#include "data/image/geometry.h"
#include "support/images.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

Image floats(std::int64_t width, std::int64_t height, std::int64_t channels,
             const std::vector<float>& values) {
  Image out{width, height, channels, SampleType::f32, {}};
  out.bytes.resize(values.size() * sizeof(float));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

Image row(const std::vector<float>& values) {
  return floats(std::ssize(values), 1, 1, values);
}

OwnWindow percentiles(double low, double high) {
  return {.by = OwnWindow::By::percentile, .low = low, .high = high, .of_volume = false};
}

constexpr OwnWindow three_deviations{
    .by = OwnWindow::By::deviation, .low = -3, .high = 3, .of_volume = false};

Windows windows_of(const Image& image, const OwnWindow& own) {
  return find_windows(image, {own}).front().channels;
}

TEST(Levels, PercentilesLieBetweenTheNearestValues) {
  std::vector<float> hundred;
  for (int i = 0; i <= 100; ++i) hundred.push_back(static_cast<float>((i * 37) % 101));
  EXPECT_EQ(windows_of(row(hundred), percentiles(0.5, 99.5)), (Windows{{0.5, 99.5}}));
  EXPECT_EQ(windows_of(row({4, 1, 3, 2}), percentiles(25, 75)), (Windows{{1.75, 3.25}}));
  EXPECT_EQ(windows_of(row({4, 1, 3, 2}), percentiles(0, 100)), (Windows{{1, 4}}));
}

// 2 4 4 4 5 5 7 9: mean 5, deviation 2.
TEST(Levels, DeviationsAreThoseOfAllValues) {
  EXPECT_EQ(windows_of(row({2, 4, 4, 4, 5, 5, 7, 9}), three_deviations), (Windows{{-1, 11}}));
}

TEST(Levels, AConstantImageIsZero) {
  for (const OwnWindow& own : {percentiles(0.5, 99.5), three_deviations}) {
    EXPECT_EQ(windows_of(row({7, 7, 7}), own), (Windows{{7, 8}}));
    InputContract contract{.channels = 1, .mean = {0}, .deviation = {1}, .own_window = own};
    const Image image = row({7, 7, 7});
    EXPECT_EQ(image_planes(image, 1, windows_for(image, contract)).values,
              (std::vector<float>{0, 0, 0}));
  }
}

// More than 99 % of one value: its percentiles are one, and the rest would be lost.
TEST(Levels, ValuesBesideOneThatFillsAnImageAreSeen) {
  std::vector<float> values(1000, 0);
  values[10] = 50;
  values[11] = -2;
  EXPECT_EQ(windows_of(row(values), percentiles(0.5, 99.5)), (Windows{{-2, 50}}));
}

TEST(Levels, ChannelsHaveTheirOwnWindowAndColoursShareOne) {
  const std::vector<float> values{0, 10, 1000, 4, 30, 5000};  // two pixels of three channels
  EXPECT_EQ(windows_of(floats(2, 1, 3, values), percentiles(0, 100)),
            (Windows{{0, 4}, {10, 30}, {1000, 5000}}));
  const Image colors{2, 1, 3, SampleType::u8, {0, 10, 200, 4, 30, 250}};
  EXPECT_EQ(windows_of(colors, percentiles(0, 100)), (Windows{{0, 250}, {0, 250}, {0, 250}}));
  // Of a case of three files they are no colours.
  const InputContract files{.own_window = percentiles(0, 100), .files = 3};
  EXPECT_EQ(windows_for(colors, files), (Windows{{0, 4}, {10, 30}, {200, 250}}));
  const Image five{1, 2, 5, SampleType::u8, {1, 2, 3, 4, 5, 11, 12, 13, 14, 15}};
  EXPECT_EQ(windows_of(five, percentiles(0, 100)).size(), 5U);
}

TEST(Levels, EachChannelIsScaledByItsOwn) {
  const std::vector<float> values{0, 10, 4, 30, 2, 20, 1, 15};
  const Image image = floats(2, 2, 2, values);
  const InputContract contract{
      .channels = 2, .mean = {0, 0}, .deviation = {1, 1}, .own_window = percentiles(0, 100)};
  EXPECT_EQ(image_planes(image, 2, windows_for(image, contract)).values,
            (std::vector<float>{0, 1, 0.5, 0.25, 0, 1, 0.5, 0.25}));
}

TEST(Levels, ValuesThatAreNotFiniteAreRefused) {
  const Image image = row({1, std::numeric_limits<float>::quiet_NaN()});
  const auto refused = test::refusal_of([&] { return windows_of(image, three_deviations).size(); });
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->names("not finite")) << refused->message;
}

// 2^23 pixels, of which half are looked at: columns rise from 0 to 255 again and again, slices from
// 0 to 6. Were only every other column, or some slices, taken, percentiles would be others.
TEST(Levels, OfALargeVolumeEvenlySpreadValuesAreTaken) {
  constexpr std::int64_t width = 1024, height = 1171, slices = 7;
  const OwnWindow own = percentiles(25, 100);
  const auto slice = [&](std::int64_t z) {
    return test::make_image(width, height, 1, [&](auto x, auto, auto) {
      return static_cast<int>(x % 2 == 1 ? 200 + z : 10);
    });
  };
  Levels whole({width, height}, slices);
  Levels by_rows({width, height}, slices);
  for (std::int64_t z = 0; z < slices; ++z) {
    const Image image = slice(z);
    whole.add(image);
    for (std::int64_t y = 0; y < height; y += 100) {
      Image part{width, std::min<std::int64_t>(100, height - y), 1, SampleType::u8, {}};
      part.bytes.assign(image.bytes.begin() + y * width,
                        image.bytes.begin() + (y + part.height) * width);
      by_rows.add(part);
    }
  }
  EXPECT_EQ(whole.windows(own), (Windows{{10, 206}}));
  EXPECT_EQ(by_rows.windows(own), whole.windows(own));
  // Half of the values are 10.
  EXPECT_EQ(whole.windows(percentiles(49, 51)), (Windows{{10, 200}}));
}

TEST(Levels, SomeOfTheRowsGiveNoWindow) {
  Levels levels({2, 2});
  levels.add(row({1, 2}));
  const auto refused = test::refusal_of([&] { return levels.windows(three_deviations).size(); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::internal);
}

TEST(Levels, APartNeverHasTheWindowOfItsOwnValues) {
  InputContract contract{.channels = 1, .mean = {0}, .deviation = {1}};
  contract.own_window = percentiles(0, 100);
  Image image = row({1, 2, 5});
  const Windows alone{{1, 5}};
  EXPECT_EQ(windows_for(image, contract), alone);
  image.extent = Extent::slice;
  EXPECT_EQ(windows_for(image, contract), alone) << "the window is asked for over the image";
  for (const Extent extent : {Extent::slice, Extent::rows}) {
    image.extent = extent;
    contract.own_window->of_volume = extent == Extent::slice;
    const auto refused = test::refusal_of([&] { return windows_for(image, contract).size(); });
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->kind, ErrorKind::internal);
    for (const auto& use : std::vector<std::function<std::size_t()>>{
             [&] { return to_network_input(image, contract).size(); },
             [&] { return make_view(image, contract, {}, 1, 1, 1).planes.values.size(); },
             [&] {
               const LabelMap labels{3, 1, {0, 0, 1}};
               return make_training_sample(image, labels, contract, augment_preset("light"), 1, 1,
                                           1)
                   .input.size();
             }}) {
      EXPECT_TRUE(test::refusal_of(use));
    }
  }
  // Those that it was read with are taken, but not those of another window.
  image.windows = {{three_deviations, {{0, 9}}}};
  EXPECT_TRUE(test::refusal_of([&] { return windows_for(image, contract).size(); }));
  image.windows.push_back({*contract.own_window, {{-5, 5}}});
  EXPECT_EQ(windows_for(image, contract), (Windows{{-5, 5}}));
}

// The sample of a window that follows from the values is that of the same window in numbers, also
// where a part of the image alone is read.
TEST(Levels, TrainingSeesTheWindowOfTheWholeImage) {
  const Image image = test::make_image(
      90, 70, 1, [](auto x, auto y, auto) { return static_cast<int>(20 + x + y); });
  const LabelMap labels = test::make_labels(90, 70, [](auto x, auto) { return x > 20 ? 1 : 0; });
  for (const Fit fit : all_fits) {
    InputContract own{.fit = fit, .width = 16, .height = 16, .channels = 1};
    own.mean = {0.4};
    own.deviation = {0.2};
    InputContract numbers = own;
    own.own_window = percentiles(0, 100);
    numbers.window = Window{20, 178};
    for (std::uint64_t index = 0; index < 6; ++index) {
      const auto sample = [&](const InputContract& contract) {
        return make_training_sample(image, labels, contract, augment_preset("strong"), 3, 0, index);
      };
      EXPECT_EQ(sample(own).input, sample(numbers).input) << to_string(fit) << " " << index;
    }
  }
}

TEST(WindowChoice, ByNameNumbersAndValues) {
  const auto window = [](const std::string& text) { return window_choice(text, "volume").window; };
  EXPECT_EQ(window("lung"), (Window{-1350, 150}));
  EXPECT_EQ(window("bone"), (Window{-500, 1300}));
  EXPECT_EQ(window("soft"), (Window{-160, 240}));
  EXPECT_EQ(window("brain"), (Window{0, 80}));
  EXPECT_EQ(window("mediastinum"), (Window{-125, 225}));
  EXPECT_EQ(window("liver"), (Window{-45, 105}));
  EXPECT_EQ(window("-160, 240.5"), (Window{-160, 240.5}));
  EXPECT_EQ(window(""), std::nullopt);
  const auto own = [](const std::string& text, const std::string& over) {
    const WindowChoice out = window_choice(text, over);
    EXPECT_FALSE(out.window);
    return out.own;
  };
  EXPECT_EQ(own("", "image"), std::nullopt);
  EXPECT_EQ(own("percentile", "volume"), (OwnWindow{OwnWindow::By::percentile, 0.5, 99.5, true}));
  EXPECT_EQ(own("percentile:1,99", "image"), (OwnWindow{OwnWindow::By::percentile, 1, 99, false}));
  EXPECT_EQ(own("zscore", "volume"), (OwnWindow{OwnWindow::By::deviation, -3, 3, true}));
}

TEST(WindowChoice, WrongOnesAreRefusedWithTheNearest) {
  const auto refused = [](const std::string& text, const std::string& over = "volume") {
    const auto out = test::refusal_of([&] { return window_choice(text, over).own.has_value(); });
    EXPECT_TRUE(out) << text;
    EXPECT_EQ(out->kind, ErrorKind::usage);
    return out->message;
  };
  EXPECT_NE(refused("lnug").find("did you mean lung?"), std::string::npos) << refused("lnug");
  EXPECT_NE(refused("percentil").find("did you mean percentile?"), std::string::npos);
  EXPECT_NE(refused("soft", "volumes").find("did you mean volume?"), std::string::npos);
  EXPECT_NE(refused("kidneys").find("two numbers such as -160,240"), std::string::npos);
  for (const char* text : {"240,-160", "5,5", "1", "1,2,3", "a,b", "nan,5", "percentile:", "1,inf",
                           "percentile:99,1", "percentile:-1,50", "percentile:1,101", "zscore:2"}) {
    refused(text);
  }
}

}  // namespace
}  // namespace medurwkv::data
