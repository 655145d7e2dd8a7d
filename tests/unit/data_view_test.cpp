// Views for pretraining: where they lie, by pictures whose values say it; what single changes do,
// by hand; that two sizes see the same; that a draw is a function of its keys alone.
#include "data/feed/view.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/model_description.h"
#include "core/random.h"
#include "data/feed/rand_augment.h"
#include "support/images.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

InputContract plain_contract(std::int64_t side, std::int64_t channels = 3) {
  InputContract out;
  out.width = out.height = side;
  out.channels = channels;
  out.mean.assign(static_cast<std::size_t>(channels), 0);
  out.deviation.assign(static_cast<std::size_t>(channels), 1);
  return out;
}

/// Nothing but the whole picture.
constexpr ViewSettings whole{.crop_least = 1, .crop_ratio = 1, .flip_x = 0};

ViewSettings everything() {
  return {.quarter_turns = 0.5,
          .hue = 20,
          .saturation = 0.4,
          .contrast = 0.4,
          .brightness = 0.2,
          .rand_ops = 2,
          .erase = 1};
}

Image speckled(std::int64_t width, std::int64_t height, std::int64_t channels = 3) {
  return test::make_image(width, height, channels, [](auto x, auto y, auto c) {
    return static_cast<int>(mix64(static_cast<std::uint64_t>(x + 1000 * y + 1000000 * c)) % 256);
  });
}

std::vector<float> rendered(const Image& image, const ViewSettings& settings, std::uint64_t index,
                            std::int64_t side = 16) {
  const ViewDraw draw = draw_view(settings, {image.width, image.height}, 3, 1, index);
  return render_view(image, plain_contract(side, image.channels), settings, draw, {side, side});
}

TEST(View, IsTheSameInAnyOrderAndFromManyThreads) {
  const Image image = speckled(40, 30);
  constexpr std::size_t count = 24;
  std::vector<std::vector<float>> forward;
  for (std::size_t i = 0; i < count; ++i) forward.push_back(rendered(image, everything(), i));
  std::vector<std::vector<float>> shuffled(count);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = count; i-- > 0;) {
        if (i % 8 == t) shuffled[i] = rendered(image, everything(), i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(forward, shuffled);
}

TEST(View, SeedEpochAndIndexAllCount) {
  std::set<std::array<double, 4>> seen;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
      for (std::uint64_t index = 0; index < 4; ++index) {
        const Affine box = draw_view({}, {400, 300}, seed, epoch, index).box;
        seen.insert({box.xx, box.yy, box.x0, box.y0});
      }
    }
  }
  EXPECT_EQ(seen.size(), 64U);
}

TEST(View, FieldsNameEverySetting) {
  std::set<std::string> names;
  for (const ViewField& field : view_fields()) {
    EXPECT_TRUE(names.insert(field.name).second);
    ViewSettings changed;
    EXPECT_GE(changed.*field.value, field.least) << field.name;
    EXPECT_LE(changed.*field.value, field.most) << field.name;
    changed.*field.value = changed.*field.value == field.most ? field.least : field.most;
    EXPECT_NE(changed, ViewSettings{}) << field.name;
  }
  EXPECT_EQ(names.size() * sizeof(double), sizeof(ViewSettings));
}

// torchvision's sides are whole pixels: a side is off by half a pixel at most. Over 2000 draws the
// mean share of the area is that of draws that fit (4 sigma); crops reach every side.
TEST(View, CropsAreSharesOfTheAreaOfAllowedRatio) {
  constexpr double width = 500;
  constexpr double height = 375;
  constexpr int count = 2000;
  double sum = 0;
  double least_left = 1;
  double most_right = 0;
  int flipped = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Affine box = draw_view({.crop_least = 0.2}, {500, 375}, 1, 0, i).box;
    const double across = std::abs(box.xx) * width;
    const double down = box.yy * height;
    EXPECT_NEAR(across, std::round(across), 1e-9);
    EXPECT_NEAR(down, std::round(down), 1e-9);
    EXPECT_GE((across + 0.5) * (down + 0.5), 0.2 * width * height);
    EXPECT_LE((across - 0.5) / (down + 0.5), 4.0 / 3);
    EXPECT_GE((across + 0.5) / (down - 0.5), 3.0 / 4);
    EXPECT_EQ(box.xy, 0);
    EXPECT_EQ(box.yx, 0);
    const auto [left, right] = std::minmax({box({0, 0}).x, box({1, 1}).x});
    EXPECT_GE(left, -1e-12);
    EXPECT_LE(right, 1 + 1e-12);
    EXPECT_GE(box({0, 0}).y, 0);
    EXPECT_LE(box({1, 1}).y, 1 + 1e-12);
    least_left = std::min(least_left, left);
    most_right = std::max(most_right, right);
    sum += across * down / (width * height);
    flipped += box.xx < 0 ? 1 : 0;
  }
  EXPECT_LT(least_left, 0.005);
  EXPECT_GT(most_right, 0.995);
  EXPECT_NEAR(flipped, count / 2, 4 * std::sqrt(count / 4));
  // A share s of a 4 : 3 picture fits upright and lying for ratios of at least 4/3 s, so above
  // 9/16 it is accepted with the chance -ln s / ln(16/9). Mean of that density over 0.2 .. 1:
  // (0.1382 + 0.0799 / 0.5754) / (0.3625 + 0.1139 / 0.5754) = 0.4946; its deviation is 0.18.
  EXPECT_NEAR(sum / count, 0.4946, 4 * 0.18 / std::sqrt(count));
}

// Of 4 x 4 pixels a square of two lies at each of its nine places as often as at another (4 sigma).
TEST(View, CropsLieAnywhere) {
  std::map<std::pair<double, double>, int> places;
  int count = 0;
  for (std::uint64_t i = 0; i < 9000; ++i) {
    const ViewSettings settings{.crop_least = 0.25, .crop_ratio = 1, .flip_x = 0};
    const Affine box = draw_view(settings, {4, 4}, 1, 0, i).box;
    if (box.xx != 0.5) continue;
    ++places[{4 * box.x0, 4 * box.y0}];
    ++count;
  }
  EXPECT_GT(count, 1000);
  EXPECT_EQ(places.size(), 9U);
  for (const auto& [place, times] : places) {
    EXPECT_NEAR(times, count / 9.0, 4 * std::sqrt(count * 8 / 81.0))
        << place.first << " " << place.second;
  }
}

// Ten tries of a large share of a strip fail: the middle of it, of the nearest allowed ratio.
TEST(View, AStripGivesItsMiddle) {
  const ViewSettings settings{.crop_least = 1, .flip_x = 0};
  const Affine tall = draw_view(settings, {12, 1000}, 1, 2, 3).box;
  EXPECT_DOUBLE_EQ(tall.xx, 1);
  EXPECT_DOUBLE_EQ(tall.yy, 16.0 / 1000);  // 12 / (3/4)
  EXPECT_DOUBLE_EQ(tall.y0, 492.0 / 1000);
  const Affine wide = draw_view(settings, {1000, 12}, 1, 2, 3).box;
  EXPECT_DOUBLE_EQ(wide.xx, 16.0 / 1000);
  EXPECT_DOUBLE_EQ(wide.x0, 492.0 / 1000);
  EXPECT_DOUBLE_EQ(wide.yy, 1);
}

TEST(View, NothingDrawnIsThePictureItself) {
  const Image image = speckled(16, 16);
  InputContract contract = plain_contract(16);
  contract.mean = {0.5, 0.4, 0.3};
  contract.deviation = {0.2, 0.3, 0.4};
  const View view = make_view(image, contract, whole, 1, 2, 3);
  const std::vector<float> expected = to_network_input(image, contract);
  ASSERT_EQ(view.planes.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(view.planes.values[i], expected[i], 1e-5);
  }
  EXPECT_EQ(view.planes.size, (ImageSize{16, 16}));
  EXPECT_EQ(view.planes.channels, 3);
}

// The eight symmetries of the square, each as a permutation of its pixels.
TEST(View, FlipsAndTurnsAreExact) {
  constexpr std::int64_t side = 8;
  const Image image = speckled(side, side, 1);
  std::set<std::vector<int>> expected;
  for (int k = 0; k < 8; ++k) {
    std::vector<int> one;
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const std::int64_t a = (k & 1) != 0 ? side - 1 - x : x;
        const std::int64_t b = (k & 2) != 0 ? side - 1 - y : y;
        one.push_back(
            image.bytes[static_cast<std::size_t>((k & 4) != 0 ? a * side + b : b * side + a)]);
      }
    }
    expected.insert(one);
  }
  ViewSettings settings = whole;
  settings.flip_x = settings.flip_y = 0.5;
  settings.quarter_turns = 1;
  std::set<std::vector<int>> seen;
  for (std::uint64_t i = 0; i < 100; ++i) {
    std::vector<int> one;
    for (const float value : rendered(image, settings, i, side)) {
      one.push_back(static_cast<int>(std::lround(255 * value)));
    }
    seen.insert(one);
  }
  EXPECT_EQ(seen, expected);
}

/// Channel 0 is x, channel 1 is y of the pixel's centre in unit coordinates.
Image places(std::int64_t width, std::int64_t height) {
  Image out{width, height, 3, SampleType::f32, {}};
  out.bytes.resize(static_cast<std::size_t>(width * height * 3) * sizeof(float));
  auto* to = out.bytes.data();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const std::array<float, 3> values{
          static_cast<float>((static_cast<double>(x) + 0.5) / static_cast<double>(width)),
          static_cast<float>((static_cast<double>(y) + 0.5) / static_cast<double>(height)), 0.5F};
      std::memcpy(to, values.data(), sizeof(values));
      to += sizeof(values);
    }
  }
  return out;
}

/// Of each pixel away from the image's border, the values are the place that `box` says. Returns
/// how many were compared.
std::size_t expect_places(const std::vector<float>& planes, const Affine& box, ImageSize to) {
  const auto area = static_cast<std::size_t>(to.width * to.height);
  std::size_t compared = 0;
  for (std::int64_t y = 0; y < to.height; ++y) {
    for (std::int64_t x = 0; x < to.width; ++x) {
      const Point from = box({(static_cast<double>(x) + 0.5) / static_cast<double>(to.width),
                              (static_cast<double>(y) + 0.5) / static_cast<double>(to.height)});
      if (from.x < 0.1 || from.x > 0.9 || from.y < 0.1 || from.y > 0.9) continue;
      const auto at = static_cast<std::size_t>(y * to.width + x);
      EXPECT_NEAR(planes[at], from.x, 2e-4);
      EXPECT_NEAR(planes[area + at], from.y, 2e-4);
      ++compared;
    }
  }
  return compared;
}

// Bicubic samples of a straight line are the line, averaged over blocks or not. So after any map at
// all the picture says where its pixels come from: RandAugment's maps among them, student and
// teacher alike.
TEST(View, ADrawIsRenderedWhereItsBoxSaysAtEverySize) {
  const Image image = places(300, 200);
  ViewSettings settings = everything();
  ViewSettings geometry = settings;
  geometry.hue = geometry.saturation = geometry.contrast = geometry.brightness = 0;
  geometry.rand_ops = geometry.erase = 0;  // of values: the maps are the draw's
  std::size_t compared = 0;
  std::size_t skewed = 0;
  for (std::uint64_t index = 0; index < 60; ++index) {
    const ViewDraw draw = draw_view(settings, {300, 200}, 7, 0, index);
    skewed += draw.box.xx * draw.box.xy != 0 ? 1 : 0;
    for (const ImageSize to : {ImageSize{24, 24}, ImageSize{48, 48}, ImageSize{33, 21}}) {
      compared +=
          expect_places(render_view(image, plain_contract(8), geometry, draw, to), draw.box, to);
    }
  }
  EXPECT_GT(compared, 60U * 800);
  EXPECT_GT(skewed, 5U);
}

// What is off in the settings is left out of a draw that has it.
TEST(View, OnlyWhatIsOnIsRendered) {
  const Image image = speckled(30, 30);
  const InputContract contract = plain_contract(16);
  const ViewSettings all = everything();
  ViewSettings geometry = all;
  geometry.hue = geometry.saturation = geometry.contrast = geometry.brightness = 0;
  geometry.rand_ops = geometry.erase = 0;
  for (std::uint64_t index = 0; index < 20; ++index) {
    ViewDraw draw = draw_view(all, {30, 30}, 1, 0, index);
    const std::vector<float> off = render_view(image, contract, geometry, draw, {16, 16});
    draw.colors = {};
    draw.changes.clear();
    draw.erased.reset();
    EXPECT_EQ(off, render_view(image, contract, geometry, draw, {16, 16}));
  }
}

TEST(View, ColoursAreThoseOfChangeColors) {
  const Image image = speckled(16, 16);
  ViewSettings settings = whole;
  settings.hue = 40;
  settings.saturation = settings.contrast = 0.5;
  settings.brightness = 0.3;
  for (std::uint64_t index = 0; index < 20; ++index) {
    const ViewDraw draw = draw_view(settings, {16, 16}, 3, 1, index);
    EXPECT_LE(std::abs(draw.colors.hue), 40);
    EXPECT_LE(std::abs(draw.colors.saturation - 1), 0.5);
    EXPECT_LE(std::abs(draw.colors.contrast - 1), 0.5);
    EXPECT_LE(std::abs(draw.colors.brightness), 0.3);
    Planes expected{rendered(image, whole, index), 3, {16, 16}};
    change_colors(expected, draw.colors);
    const std::vector<float> got = rendered(image, settings, index);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected.values[i], 1e-5);
  }
}

// Colours, then RandAugment's changes as drawn, then the contract's normalisation, then what is
// erased.
TEST(View, ChangesAreMadeInTheirOrder) {
  const Image image = speckled(16, 16);
  ViewSettings settings = everything();
  settings.rand_ops = 4;
  ViewSettings geometry = settings;
  geometry.hue = geometry.saturation = geometry.contrast = geometry.brightness = 0;
  geometry.rand_ops = geometry.erase = 0;
  InputContract contract = plain_contract(16);
  contract.mean = {0.5, 0.4, 0.3};
  contract.deviation = {0.2, 0.3, 0.4};
  std::size_t several = 0;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const ViewDraw draw = draw_view(settings, {16, 16}, 3, 1, index);
    several += draw.changes.size() > 1 ? 1 : 0;
    Planes expected{render_view(image, plain_contract(16), geometry, draw, {16, 16}), 3, {16, 16}};
    change_colors(expected, draw.colors);
    for (const RandChange& change : draw.changes) change_values(expected, change);
    const std::vector<float> got = render_view(image, contract, settings, draw, {16, 16});
    ASSERT_TRUE(draw.erased);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double x = (static_cast<double>(i % 16) + 0.5) / 16 - draw.erased->left;
      const double y = (static_cast<double>(i / 16 % 16) + 0.5) / 16 - draw.erased->top;
      if (x >= 0 && x < draw.erased->width && y >= 0 && y < draw.erased->height) continue;
      const std::size_t c = i / 256;
      ASSERT_NEAR(got[i], (expected.values[i] - contract.mean[c]) / contract.deviation[c], 1e-4)
          << index << " " << i;
    }
  }
  EXPECT_GT(several, 20U);
}

TEST(View, EachColourSettingAloneIsOn) {
  const Image image = speckled(16, 16);
  const std::vector<float> plain = rendered(image, whole, 1);
  for (double ViewSettings::*one : {&ViewSettings::hue, &ViewSettings::saturation,
                                    &ViewSettings::contrast, &ViewSettings::brightness}) {
    ViewSettings settings = whole;
    settings.*one = 0.5;
    EXPECT_NE(rendered(image, settings, 1), plain);
  }
}

// A gray picture stays gray in three channels; five channels keep their number; 8-bit v is 16-bit
// 257 v is float v / 255.
TEST(View, TakesAnyNumberOfChannelsAndAnyTypeOfSample) {
  ViewSettings settings = everything();
  settings.erase = 0;
  for (const std::int64_t channels : {1, 3, 5}) {
    const Image bytes = speckled(24, 20, channels);
    Image wide{24, 20, channels, SampleType::u16, {}};
    Image floats{24, 20, channels, SampleType::f32, {}};
    wide.bytes.resize(2 * bytes.bytes.size());
    floats.bytes.resize(4 * bytes.bytes.size());
    for (std::size_t i = 0; i < bytes.bytes.size(); ++i) {
      const auto sample = static_cast<std::uint16_t>(257 * bytes.bytes[i]);
      std::memcpy(&wide.bytes[2 * i], &sample, 2);
      const float part = static_cast<float>(bytes.bytes[i]) / 255.0F;
      std::memcpy(&floats.bytes[4 * i], &part, 4);
    }
    InputContract contract = plain_contract(12, channels == 1 ? 3 : channels);
    contract.window = Window{0, 1};
    InputContract stored = contract;
    stored.window.reset();
    for (std::uint64_t index = 0; index < 20; ++index) {
      ViewSettings smooth = settings;
      // A step of posterize or equalize falls to either side of a rounding; compared without.
      ViewDraw draw = draw_view(smooth, {24, 20}, 3, 1, index);
      std::erase_if(draw.changes, [](const RandChange& one) {
        return one.operation == RandOperation::posterize ||
               one.operation == RandOperation::equalize || one.operation == RandOperation::solarize;
      });
      const auto of = [&](const Image& image, const InputContract& by) {
        return render_view(image, by, smooth, draw, {12, 12});
      };
      const std::vector<float> expected = of(bytes, stored);
      ASSERT_EQ(expected.size(), static_cast<std::size_t>(contract.channels) * 144);
      const std::vector<float> from_wide = of(wide, stored);
      const std::vector<float> from_floats = of(floats, contract);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(from_wide[i], expected[i], 1e-4);
        ASSERT_NEAR(from_floats[i], expected[i], 1e-4);
        ASSERT_TRUE(channels != 1 || expected[i] == expected[i % 144]);
      }
    }
  }
  const Image two = speckled(8, 8, 2);
  const auto refusal = test::refusal_of(
      [&] { return make_view(two, plain_contract(8), whole, 1, 0, 0).planes.values; });
  ASSERT_TRUE(refusal);
  EXPECT_TRUE(refusal->names("takes 3 channels, the image has 2"));
}

// What is erased is one rectangle of 2 % to 33 % of the view, in standard normal noise; the rest is
// as without. It is the same part at twice the size.
TEST(View, ErasesARectangleWithNormalNoise) {
  const Image image = speckled(64, 64);
  const InputContract contract = plain_contract(64);
  ViewSettings settings = whole;
  settings.erase = 1;
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const ViewDraw draw = draw_view(settings, {64, 64}, 3, 1, index);
    ASSERT_TRUE(draw.erased);
    const UnitBox box = *draw.erased;
    EXPECT_GE(box.width * box.height, 0.02 - 1e-12);
    EXPECT_LE(box.width * box.height, 0.33 + 1e-12);
    EXPECT_GE(box.height / box.width, 0.3 - 1e-12);
    EXPECT_LE(box.height / box.width, 1 / 0.3 + 1e-12);
    for (const std::int64_t side : {64, 128}) {
      const ImageSize to{side, side};
      const std::vector<float> with = render_view(image, contract, settings, draw, to);
      const std::vector<float> without = render_view(image, contract, whole, draw, to);
      for (std::int64_t i = 0; i < std::ssize(with); ++i) {
        const double x = (static_cast<double>(i % side) + 0.5) / static_cast<double>(side);
        const double y = (static_cast<double>(i / side % side) + 0.5) / static_cast<double>(side);
        const bool inside =
            x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height;
        const auto at = static_cast<std::size_t>(i);
        ASSERT_EQ(with[at] != without[at], inside) << index << " " << i;
        if (!inside) continue;
        sum += with[at];
        squares += static_cast<double>(with[at]) * with[at];
        ++count;
      }
    }
  }
  EXPECT_NEAR(sum / count, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 4 * std::sqrt(2 / count));
}

// Areas are uniform in 0.02 .. 0.33; the place along each side is uniform, and the two are
// independent (4 sigma each).
TEST(View, ErasesAsOftenAsItsChanceAndAnywhere) {
  double count = 0;
  double area = 0;
  double across = 0;
  double down = 0;
  double product = 0;
  for (std::uint64_t index = 0; index < 4000; ++index) {
    const auto erased = draw_view({.erase = 0.25}, {64, 64}, 3, 1, index).erased;
    if (!erased) continue;
    ++count;
    area += erased->width * erased->height;
    const double x = erased->left / (1 - erased->width) - 0.5;
    const double y = erased->top / (1 - erased->height) - 0.5;
    EXPECT_LE(std::abs(x), 0.5);
    EXPECT_LE(std::abs(y), 0.5);
    across += x;
    down += y;
    product += x * y;
  }
  EXPECT_NEAR(count, 1000, 4 * std::sqrt(4000 * 0.25 * 0.75));
  const double root = std::sqrt(count);
  EXPECT_NEAR(area / count, 0.175, 4 * 0.31 / std::sqrt(12) / root);
  EXPECT_NEAR(across / count, 0, 4 / std::sqrt(12) / root);
  EXPECT_NEAR(down / count, 0, 4 / std::sqrt(12) / root);
  EXPECT_NEAR(product / count, 0, 4.0 / 12 / root);
}

// Of 100 x 60 pixels the largest square has side 60; 7/8 of it is 52.5.
TEST(CentralView, LiesInTheMiddle) {
  const Affine box = central_box({100, 60}, {32, 32}, 0.875);
  EXPECT_NEAR(box.xx, 0.525, 1e-12);
  EXPECT_NEAR(box.x0, 0.2375, 1e-12);
  EXPECT_NEAR(box.yy, 0.875, 1e-12);
  EXPECT_NEAR(box.y0, 0.0625, 1e-12);
  // 2 : 1 of 60 x 100: 60 x 30.
  const Affine flat = central_box({60, 100}, {64, 32}, 1);
  EXPECT_NEAR(flat.xx, 1, 1e-12);
  EXPECT_NEAR(flat.yy, 0.3, 1e-12);
  EXPECT_NEAR(flat.y0, 0.35, 1e-12);
  const std::vector<float> view = render_central(places(200, 120), plain_contract(32));
  EXPECT_GT(expect_places(view, central_box({200, 120}, {32, 32}, 0.875), {32, 32}), 800U);
}

TEST(CentralView, WithoutACropIsTheStretchedImage) {
  const Image image = speckled(50, 30);
  InputContract contract = plain_contract(16);
  const std::vector<float> expected = to_network_input(image, contract);
  contract.fit = Fit::pad;
  EXPECT_EQ(render_central(image, contract, 0), expected);
  EXPECT_EQ(central_box({50, 30}, {16, 16}, 0).xx, 1);
  for (const double share : {-0.1, 1.1, std::nan("")}) {
    const auto refusal = test::refusal_of([&] { return render_central(image, contract, share); });
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->kind, ErrorKind::usage);
  }
}

/// Every cell weighed by a tent about it, the place kept within the outermost centres.
double by_tents(const std::vector<float>& map, std::int64_t height, std::int64_t width,
                std::int64_t depth, std::int64_t d, Point at) {
  const auto kept = [](double place, std::int64_t side) {
    return std::min(std::max(place * static_cast<double>(side) - 0.5, 0.0),
                    static_cast<double>(side) - 1);
  };
  const double x = kept(at.x, width);
  const double y = kept(at.y, height);
  double sum = 0;
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const double tent = std::max(0.0, 1 - std::abs(x - static_cast<double>(column))) *
                          std::max(0.0, 1 - std::abs(y - static_cast<double>(row)));
      sum += tent * map[static_cast<std::size_t>((row * width + column) * depth + d)];
    }
  }
  return sum;
}

TEST(ResampleMap, IsBilinearUnderTheBox) {
  for (const auto& [height, width, depth] :
       {std::array<std::int64_t, 3>{7, 5, 3}, {1, 1, 2}, {1, 6, 1}, {16, 16, 4}}) {
    std::vector<float> map;
    const Random random({3, static_cast<std::uint64_t>(height)});
    for (std::int64_t i = 0; i < height * width * depth; ++i) {
      map.push_back(static_cast<float>(random.uniform(static_cast<std::uint64_t>(i), -1, 1)));
    }
    for (std::uint64_t index = 0; index < 10; ++index) {
      const Affine box = draw_view(everything(), {320, 240}, 5, 0, index).box;
      const ImageSize to{9, 6};
      const std::vector<float> got = resample_map(map.data(), height, width, depth, box, to);
      ASSERT_EQ(got.size(), static_cast<std::size_t>(9 * 6 * depth));
      for (std::int64_t i = 0; i < std::ssize(got); ++i) {
        const std::int64_t cell = i / depth;
        const Point at = box(
            {(static_cast<double>(cell % 9) + 0.5) / 9, (static_cast<double>(cell / 9) + 0.5) / 6});
        ASSERT_NEAR(got[static_cast<std::size_t>(i)],
                    by_tents(map, height, width, depth, i % depth, at), 1e-5);
      }
    }
  }
}

TEST(ResampleMap, TheSameGridIsTheSameMapAndAFlipItsMirrorImage) {
  std::vector<float> map;
  for (int i = 0; i < 4 * 5 * 3; ++i) map.push_back(static_cast<float>(i * i % 17));
  EXPECT_EQ(resample_map(map.data(), 4, 5, 3, {}, {5, 4}), map);
  const std::vector<float> mirrored =
      resample_map(map.data(), 4, 5, 3, {.xx = -1, .x0 = 1}, {5, 4});
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::size_t row = i / 15;
    const std::size_t column = i / 3 % 5;
    EXPECT_NEAR(mirrored[i], map[(row * 5 + 4 - column) * 3 + i % 3], 1e-5);
  }
}

}  // namespace
}  // namespace medurwkv::data
