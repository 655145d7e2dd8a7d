// Augmentation: independence of order and threads, which symmetries it draws, that image and labels
// move alike, what single settings do, what it leaves alone.
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

#include "core/error.h"
#include "core/model_description.h"
#include "data/feed/augment.h"
#include "support/images.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

constexpr std::array presets{"light", "medium", "strong"};
constexpr std::int64_t side = 40;
constexpr std::size_t area = side * side;

InputContract plain_contract(std::int64_t channels = 3) {
  InputContract contract;
  contract.width = contract.height = side;
  contract.channels = channels;
  contract.mean.assign(static_cast<std::size_t>(channels), 0);
  contract.deviation.assign(static_cast<std::size_t>(channels), 1);
  return contract;
}

/// A preset without what bends or cuts the picture by more than the points below bear.
AugmentSettings without_bends(const std::string& preset) {
  AugmentSettings out = augment_preset(preset);
  out.crop = out.elastic = out.holes = 0;
  return out;
}

/// The quarter of the picture that a pixel lies in: 0 1 / 2 3.
int quarter(std::int64_t x, std::int64_t y) {
  return (x < side / 2 ? 0 : 1) + (y < side / 2 ? 0 : 2);
}

Image quarters_image() {
  return test::make_image(side, side, 1,
                          [](auto x, auto y, auto) { return 26 + 68 * quarter(x, y); });
}
LabelMap quarters_labels() {
  return test::make_labels(side, side, quarter);
}

AugmentedSample sample(const AugmentSettings& settings, std::uint64_t index,
                       std::uint64_t epoch = 0, std::uint64_t seed = 11) {
  return make_training_sample(quarters_image(), quarters_labels(), plain_contract(1), settings,
                              seed, epoch, index);
}

/// Every kind of warp and change at once.
AugmentSettings everything() {
  AugmentSettings out = augment_preset("strong");
  out.crop_chance = out.elastic_chance = out.blur_chance = out.noise_chance = out.holes_chance = 1;
  return out;
}

TEST(Augment, IsTheSameInAnyOrderAndFromManyThreads) {
  constexpr std::size_t count = 24;
  std::vector<AugmentedSample> forward;
  for (std::size_t i = 0; i < count; ++i) forward.push_back(sample(everything(), i));
  for (const std::size_t thread_count : {1U, 8U}) {
    std::vector<AugmentedSample> shuffled(count);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < thread_count; ++t) {
      threads.emplace_back([&, t] {  // each from the back, every eighth
        for (std::size_t i = count; i-- > 0;) {
          if (i % thread_count == t) shuffled[i] = sample(everything(), i);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(forward[i].input, shuffled[i].input) << i;
      EXPECT_EQ(forward[i].labels, shuffled[i].labels) << i;
    }
  }
}

// Seed, epoch and index are three keys, not one sum: no two of 64 combinations give one picture.
TEST(Augment, SeedEpochAndIndexAllCount) {
  std::set<std::vector<float>> seen;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
      for (std::uint64_t index = 0; index < 4; ++index) {
        seen.insert(sample(augment_preset("light"), index, epoch, seed).input);
      }
    }
  }
  EXPECT_EQ(seen.size(), 64U);
}

/// The quarters seen at the four quarter points, as a text of four digits.
std::string arrangement(const AugmentedSample& one) {
  std::string out;
  for (const std::int64_t y : {10, 29}) {
    for (const std::int64_t x : {10, 29}) {
      out += static_cast<char>('0' + one.labels.labels[static_cast<std::size_t>(y * side + x)]);
    }
  }
  return out;
}

// Rotations to 20 degrees, scales to 1.2, shears and shifts as light and medium have them leave the
// points at a quarter of the side in their quarter. So what is seen there is the drawn flip and
// quarter turn alone: light has the four of two flips, medium all eight symmetries of the square,
// each as often as its draws say (4 sigma of a binomial).
TEST(Augment, FlipsAndTurnsAreSymmetriesOfTheSquareEquallyOften) {
  const std::set<std::string> flips{"0123", "1032", "2301", "3210"};
  std::set<std::string> all = flips;
  all.insert({"0213", "1302", "2031", "3120"});  // the same with rows and columns exchanged
  constexpr int count = 800;
  for (const auto& [preset, expected] : {std::pair{"light", flips}, std::pair{"medium", all}}) {
    std::map<std::string, int> uses;
    for (std::uint64_t i = 0; i < count; ++i) ++uses[arrangement(sample(without_bends(preset), i))];
    std::set<std::string> seen;
    for (const auto& [text, unused] : uses) seen.insert(text);
    EXPECT_EQ(seen, expected);
    const double share = 1.0 / static_cast<double>(expected.size());
    for (const auto& [text, times] : uses) {
      EXPECT_NEAR(times, count * share, 4 * std::sqrt(count * share * (1 - share))) << text;
    }
  }
}

// A flip alone is the picture mirrored; two of them are the half turn; labels likewise.
TEST(Augment, FlipsAloneMirrorExactly) {
  const Image image = test::make_image(
      side, side, 1, [](auto x, auto y, auto) { return static_cast<int>((7 * x + 13 * y) % 256); });
  const LabelMap labels =
      test::make_labels(side, side, [](auto x, auto y) { return static_cast<int>(x / 4 + y / 9); });
  for (const auto& [flip_x, flip_y] : {std::pair{1, 0}, std::pair{0, 1}, std::pair{1, 1}}) {
    AugmentSettings settings;
    settings.flip_x = flip_x;
    settings.flip_y = flip_y;
    const AugmentedSample one =
        make_training_sample(image, labels, plain_contract(1), settings, 3, 1, 4);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const std::int64_t from_x = flip_x == 1 ? side - 1 - x : x;
        const std::int64_t from_y = flip_y == 1 ? side - 1 - y : y;
        const auto at = static_cast<std::size_t>(y * side + x);
        ASSERT_NEAR(one.input[at], image.value(from_x, from_y, 0), 1e-6) << x << " " << y;
        ASSERT_EQ(one.labels.labels[at],
                  labels.labels[static_cast<std::size_t>(from_y * side + from_x)]);
      }
    }
  }
}

// A 2 : 1 picture stretched to a 2 : 1 input and turned a quarter still fills it: every label of
// the set of columns is seen, whole, as rows.
TEST(Augment, AQuarterTurnOfAStretchedPictureFillsAnInputThatIsNotSquare) {
  InputContract contract = plain_contract(1);
  contract.width = 64;
  contract.height = 32;
  const Image image = test::make_image(64, 32, 1, [](auto, auto, auto) { return 100; });
  const LabelMap labels =
      test::make_labels(64, 32, [](auto x, auto) { return static_cast<int>(x / 2); });
  AugmentSettings settings;
  settings.quarter_turns = 1;
  const auto numbers = [](const LabelMap& map) {
    return std::vector<int>(map.labels.begin(), map.labels.end());
  };
  std::set<std::vector<int>> seen;
  for (std::uint64_t index = 0; index < 40; ++index) {
    seen.insert(
        numbers(make_training_sample(image, labels, contract, settings, 1, 0, index).labels));
  }
  std::set<std::vector<int>> expected;
  for (const bool mirrored : {false, true}) {
    const auto number = [&](std::int64_t i) { return static_cast<int>(mirrored ? 31 - i : i); };
    expected.insert(
        numbers(test::make_labels(64, 32, [&](auto x, auto) { return number(x / 2); })));
    expected.insert(numbers(test::make_labels(64, 32, [&](auto, auto y) { return number(y); })));
  }
  EXPECT_EQ(seen, expected);
}

// The four quarters have four shades; changes of colour keep their order, so the image must show at
// the quarter points the order of the labels there.
TEST(Augment, ImageAndLabelsMoveByTheSameMap) {
  for (const char* preset : {"light", "medium"}) {
    for (std::uint64_t index = 0; index < 200; ++index) {
      const AugmentedSample one = sample(without_bends(preset), index);
      std::array<float, 4> shade{};
      for (const std::int64_t y : {10, 29}) {
        for (const std::int64_t x : {10, 29}) {
          const auto at = static_cast<std::size_t>(y * side + x);
          shade[one.labels.labels[at]] = one.input[at];
        }
      }
      EXPECT_TRUE(std::is_sorted(shade.begin(), shade.end())) << index;
    }
  }
}

/// All geometric settings, no change of values.
AugmentSettings geometry_alone() {
  AugmentSettings out = everything();
  out.hue = out.saturation = out.contrast = out.brightness = out.gamma = 0;
  out.blur_chance = out.noise_chance = out.holes_chance = 0;
  return out;
}

// Channel 0 rises along x through channel 1's gray just between the pixels 19 and 20, channel 2
// along y; labels change there. A bicubic sample of a straight line is the line itself, so after
// any warp at all a pixel's label must say on which side of the gray the other two are: labels are
// not half a pixel off. Near the mirrored borders the line is bent.
TEST(Augment, LabelsLieUnderTheImageToTheSubpixel) {
  const Image image = test::make_image(side, side, 3, [](auto x, auto y, auto c) {
    return c == 1 ? 128 : 50 + 4 * static_cast<int>(c == 0 ? x : y);  // 126 at 19, 130 at 20
  });
  std::size_t compared = 0;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const AugmentedSample one = make_training_sample(image, quarters_labels(), plain_contract(),
                                                     geometry_alone(), 2, 0, index);
    for (std::size_t i = 0; i < area; ++i) {
      const float over_x = one.input[i] - one.input[area + i];
      const float over_y = one.input[2 * area + i] - one.input[area + i];
      if (std::abs(over_x) < 1e-4F || std::abs(over_y) < 1e-4F) continue;  // on the edge itself
      ASSERT_EQ(int{one.labels.labels[i]}, (over_x > 0 ? 1 : 0) + (over_y > 0 ? 2 : 0))
          << "sample " << index << ", pixel " << i;
      ++compared;
    }
  }
  EXPECT_GT(compared, 39 * area) << "hardly any pixel lies on the edge";
}

/// Pixels of a disc of radius 10 in the middle, after one augmentation of it; padded, so that no
/// mirror image of it comes in.
double disc_area(const AugmentSettings& settings, std::uint64_t index) {
  const auto in_disc = [](auto x, auto y) {
    const double dx = static_cast<double>(x) - 19.5;
    const double dy = static_cast<double>(y) - 19.5;
    return dx * dx + dy * dy < 100 ? 1 : 0;
  };
  const Image gray = test::make_image(side, side, 1, [](auto, auto, auto) { return 128; });
  InputContract contract = plain_contract(1);
  contract.fit = Fit::pad;
  const AugmentedSample one = make_training_sample(gray, test::make_labels(side, side, in_disc),
                                                   contract, settings, 5, 0, index);
  return static_cast<double>(
      std::count(one.labels.labels.begin(), one.labels.labels.end(), std::uint8_t{1}));
}

// Rotation, shear, shift, flips and turns keep areas; scale multiplies them by its square, which
// lies between 1 / (1 + scale)^2 and (1 + scale)^2 and comes near both; a crop only enlarges.
TEST(Augment, AreasChangeByTheScaleAlone) {
  const double whole = disc_area({}, 0);
  ASSERT_NEAR(whole, 314, 8);
  AugmentSettings rigid = augment_preset("strong");
  rigid.scale = rigid.crop = rigid.elastic = rigid.shift = 0;
  AugmentSettings scaled;
  scaled.scale = 0.5;
  AugmentSettings cropped;
  cropped.crop = 0.3;
  cropped.crop_chance = 1;
  double least = whole;
  double most = whole;
  for (std::uint64_t index = 0; index < 60; ++index) {
    EXPECT_NEAR(disc_area(rigid, index), whole, 12) << index;
    least = std::min(least, disc_area(scaled, index));
    most = std::max(most, disc_area(scaled, index));
    EXPECT_GE(disc_area(cropped, index), whole - 12);
    EXPECT_LE(disc_area(cropped, index), whole / (0.7 * 0.7) + 12);
  }
  EXPECT_NEAR(least, whole / 2.25, 0.06 * whole);
  EXPECT_NEAR(most, whole * 2.25, 0.2 * whole);
}

// Borders are mirrored, so a warp brings in nothing that is not in the picture.
TEST(Augment, BringsInNoForeignBackground) {
  const LabelMap ones = test::make_labels(33, 21, [](auto, auto) { return 1; });
  const LabelMap ignored =
      test::make_labels(33, 21, [](auto x, auto) { return x % 3 == 0 ? 255 : 4; });
  const Image gray = test::make_image(33, 21, 3, [](auto, auto, auto) { return 128; });
  for (const char* preset : presets) {
    for (std::uint64_t index = 0; index < 30; ++index) {
      const auto with = [&](const LabelMap& labels) {
        return make_training_sample(gray, labels, plain_contract(), augment_preset(preset), 5, 1,
                                    index);
      };
      const AugmentedSample one = with(ones);
      EXPECT_EQ(one.labels, test::make_labels(side, side, [](auto, auto) { return 1; }));
      const std::vector<std::uint8_t> two = with(ignored).labels.labels;
      EXPECT_TRUE(std::all_of(two.begin(), two.end(),
                              [](std::uint8_t label) { return label == 4 || label == 255; }));
      if (std::string(preset) == "light") {  // no noise: one gray stays one gray
        const auto [low, high] = std::minmax_element(one.input.begin(), one.input.end());
        EXPECT_NEAR(*low, *high, 1e-5);
      }
    }
  }
}

// Colours are changed within 0..1, then normalised: (value - 0.5) / 0.25 lies in -2..2.
TEST(Augment, ValuesStayInRangeBeforeTheNormalisation) {
  InputContract contract = plain_contract();
  contract.mean = {0.5, 0.5, 0.5};
  contract.deviation = {0.25, 0.25, 0.25};
  const Image loud = test::make_image(
      16, 16, 3, [](auto x, auto y, auto c) { return (x + y + c) % 2 == 0 ? 0 : 255; });
  const LabelMap labels = test::make_labels(16, 16, [](auto, auto) { return 0; });
  for (std::uint64_t index = 0; index < 20; ++index) {
    const AugmentedSample one =
        make_training_sample(loud, labels, contract, everything(), 1, 1, index);
    for (const float value : one.input) {
      ASSERT_GE(value, -2.0F);
      ASSERT_LE(value, 2.0F);
    }
  }
}

/// A picture's samples stored as `Stored`, each `factor` times the 8-bit value plus `offset`.
template <class Stored>
Image stored_as(const Image& image, SampleType type, double factor, double offset) {
  Image out{image.width, image.height, image.channels, type, {}};
  out.bytes.resize(image.bytes.size() * sizeof(Stored));
  for (std::size_t i = 0; i < image.bytes.size(); ++i) {
    const auto value = static_cast<Stored>(factor * image.bytes[i] + offset);
    std::memcpy(&out.bytes[i * sizeof(Stored)], &value, sizeof(value));
  }
  return out;
}

// 8-bit v is 16-bit 257 v is float v / 255: the same samples of all three, of five channels too.
// A float picture without a window may have any range; its change commutes with a line, because
// what its values lie between stands for 0..1.
TEST(Augment, EveryTypeOfSampleGivesTheSamePicture) {
  for (const std::int64_t channels : {1, 3, 5}) {
    const Image bytes = test::make_image(50, 30, channels, [](auto x, auto y, auto c) {
      return static_cast<int>((x * 11 + y * 5 + c * 70) % 256);
    });
    const LabelMap labels = test::make_labels(50, 30, [](auto x, auto) { return x > 20 ? 1 : 0; });
    const Image words = stored_as<std::uint16_t>(bytes, SampleType::u16, 257, 0);
    const Image floats = stored_as<float>(bytes, SampleType::f32, 1.0 / 255, 0);
    const Image wide = stored_as<float>(bytes, SampleType::f32, 0.2, -20);
    InputContract contract = plain_contract(channels);
    InputContract windowed = contract;
    windowed.window = Window{-20, 0.2 * 255 - 20};
    for (std::uint64_t index = 0; index < 8; ++index) {
      const auto of = [&](const Image& image, const InputContract& how) {
        return make_training_sample(image, labels, how, everything(), 4, 0, index);
      };
      const AugmentedSample expected = of(bytes, contract);
      const AugmentedSample plain = of(floats, contract);
      const AugmentedSample stretched = of(wide, contract);
      for (const AugmentedSample& other : {of(words, contract), of(wide, windowed)}) {
        EXPECT_EQ(other.labels, expected.labels);
        for (std::size_t i = 0; i < other.input.size(); ++i) {
          ASSERT_NEAR(other.input[i], expected.input[i], 2e-4) << index << " " << i;
        }
      }
      for (std::size_t i = 0; i < plain.input.size(); ++i) {
        ASSERT_NEAR((stretched.input[i] + 20) / (0.2 * 255), plain.input[i], 2e-3) << i;
      }
    }
  }
}

TEST(Augment, AnUnknownPresetIsAUsageError) {
  EXPECT_EQ(augment_preset("none"), AugmentSettings{});
  EXPECT_EQ(augment_preset("strong").holes, 6);
  const auto refused = test::refusal_of([] { return augment_preset("mediun"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
  EXPECT_TRUE(refused->names("medium")) << refused->message;
}

// Every setting is in the list once, and every preset's is within its range.
TEST(Augment, TheListOfSettingsIsComplete) {
  AugmentSettings all;
  std::set<std::string> names;
  for (const AugmentField& field : augment_fields()) {
    EXPECT_EQ(all.*field.value, 0) << field.name << " is there twice";
    all.*field.value = field.most;
    names.insert(field.name);
    for (const char* preset : presets) {
      EXPECT_LE(augment_preset(preset).*field.value, field.most) << field.name;
    }
  }
  EXPECT_EQ(names.size() * sizeof(double), sizeof(AugmentSettings));
}

TEST(Augment, NoneIsTheContractAlone) {
  for (const Fit fit : {Fit::stretch, Fit::pad}) {
    InputContract contract = plain_contract(1);
    contract.fit = fit;
    contract.width = 24;
    contract.height = 30;
    const AugmentedSample plain =
        make_training_sample(quarters_image(), quarters_labels(), contract, {}, 1, 2, 3);
    EXPECT_EQ(plain.input, to_network_input(quarters_image(), contract));
    EXPECT_EQ(plain.labels, to_network_labels(quarters_labels(), contract));
  }
}

/// A picture whose every pixel tells where it is: value and label.
Image numbered_image(std::int64_t width, std::int64_t height) {
  return test::make_image(width, height, 1,
                          [=](auto x, auto y, auto) { return static_cast<int>(y * width + x); });
}

// Windows of a native fit and of tiles are pieces of the image, pixel for pixel, from every place.
TEST(Augment, WindowsArePiecesOfTheImage) {
  for (const Fit fit : {Fit::native, Fit::tile}) {
    InputContract contract = plain_contract(1);
    contract.fit = fit;
    contract.width = contract.height = 6;
    const LabelMap labels =
        test::make_labels(14, 8, [](auto x, auto y) { return static_cast<int>(y * 14 + x); });
    std::set<std::pair<int, int>> places;
    for (std::uint64_t index = 0; index < 400; ++index) {
      const AugmentedSample one =
          make_training_sample(numbered_image(14, 8), labels, contract, {}, 1, 0, index);
      const int first = one.labels.labels[0];
      places.insert({first % 14, first / 14});
      for (std::size_t i = 0; i < 36; ++i) {
        const std::size_t expected = static_cast<std::size_t>(first) + i / 6 * 14 + i % 6;
        ASSERT_EQ(one.labels.labels[i], expected);
        ASSERT_NEAR(one.input[i], static_cast<double>(expected) / 255, 1e-6);
      }
    }
    EXPECT_EQ(places.size(), 9U * 3U);
  }
}

/// How many of the labels are of the class.
std::int64_t count_of(const LabelMap& labels, int label) {
  return std::count(labels.labels.begin(), labels.labels.end(), label);
}

// One pixel each of two classes, the second ringed by others, in an image a hundred times the
// window: by chance hardly a sample would show one. Half of the samples must, whatever the
// augmentation, and each class in half of these; the pixels lie at an edge, in a corner and inside.
TEST(Augment, HalfOfTheTilesShowForeground) {
  InputContract contract = plain_contract(1);
  contract.fit = Fit::tile;
  contract.width = 24;
  contract.height = 16;
  const Image image = test::make_image(400, 300, 1, [](auto, auto, auto) { return 128; });
  for (const auto& [x1, y1] : {std::pair{0, 0}, {399, 150}, {200, 100}}) {
    const LabelMap labels = test::make_labels(400, 300, [&](auto x, auto y) {
      return x == x1 && y == y1 ? 1 : x == 50 && y == 250 ? 2 : 0;
    });
    for (const char* preset : {"none", "light", "medium", "strong"}) {
      const AugmentSettings settings = augment_preset(preset);
      constexpr int samples = 600;
      std::array<int, 3> shown{};
      for (std::uint64_t index = 0; index < samples; ++index) {
        const AugmentedSample one =
            make_training_sample(image, labels, contract, settings, 11, 0, index);
        ASSERT_EQ(one.labels.width, 24);
        ASSERT_EQ(one.labels.height, 16);
        for (const int label : {1, 2}) {
          if (count_of(one.labels, label) > 0) ++shown[static_cast<std::size_t>(label)];
        }
      }
      // Binomial with 600 draws of 1/4: 150 and a deviation of 10.6; five of these.
      EXPECT_NEAR(shown[1], 150, 53) << preset;
      EXPECT_NEAR(shown[2], 150, 53) << preset;
    }
  }
}

// A window is warped from the part of the image that it shows. Its values say where they come from,
// and so do its labels, which are taken from the whole: a ramp stays a ramp under any affine map,
// at and beyond the borders, too. Where the map shrinks, values are means over blocks.
TEST(Augment, AWindowsImageAndLabelsStayTogether) {
  for (const Fit fit : {Fit::native, Fit::tile}) {
    for (const bool elastic : {false, true}) {
      InputContract contract = plain_contract(1);
      contract.fit = fit;
      contract.width = 40;
      contract.height = 24;
      AugmentSettings moves = augment_preset("strong");
      moves.elastic_chance = elastic ? 1 : 0;
      moves.shift = 0.6;
      moves.contrast = moves.brightness = moves.gamma = 0;
      moves.blur_chance = moves.noise_chance = moves.holes_chance = 0;
      for (const bool along_x : {true, false}) {
        const auto ramp = [&](std::int64_t x, std::int64_t y) {
          return static_cast<int>(along_x ? x : y);
        };
        const Image image =
            test::make_image(230, 250, 1, [&](auto x, auto y, auto) { return ramp(x, y); });
        const LabelMap labels = test::make_labels(230, 250, ramp);
        std::size_t compared = 0;
        for (std::uint64_t index = 0; index < 150; ++index) {
          const AugmentedSample one =
              make_training_sample(image, labels, contract, moves, 5, 1, index);
          for (std::size_t i = 0; i < one.labels.labels.size(); ++i) {
            const int label = one.labels.labels[i];
            // Within a few pixels of the edge the mirrored ramp bends.
            if (label == ignore_label || label < 8 || label > 220) continue;
            ASSERT_NEAR(255 * one.input[i], label, 1.3) << index << " " << i;
            ++compared;
          }
        }
        EXPECT_GT(compared, 50'000U);
      }
    }
  }
}

// No foreground, ignored pixels or nothing but foreground: windows as of the native fit.
TEST(Augment, TilesWithoutForegroundAreDrawnAnywhere) {
  InputContract contract = plain_contract(1);
  contract.fit = Fit::tile;
  contract.width = contract.height = 8;
  const Image image = numbered_image(16, 15);
  for (const int label : {0, 1, int{ignore_label}}) {
    const LabelMap labels = test::make_labels(16, 15, [&](auto, auto) { return label; });
    std::set<float> corners;
    for (std::uint64_t index = 0; index < 900; ++index) {
      const AugmentedSample one = make_training_sample(image, labels, contract, {}, 3, 0, index);
      EXPECT_EQ(count_of(one.labels, label), 64);
      corners.insert(one.input[0]);
    }
    EXPECT_EQ(corners.size(), 9U * 8U) << label;
  }
}

// What lies outside of a padded or smaller image is ignored and 0 after normalisation, augmented or
// not, and nothing else is.
TEST(Augment, OutsideOfAPaddedImageIsIgnored) {
  InputContract contract = plain_contract(1);
  contract.mean = {0.3};
  const Image gray = test::make_image(20, 10, 1, [](auto, auto, auto) { return 255; });
  const LabelMap ones = test::make_labels(20, 10, [](auto, auto) { return 1; });
  for (const Fit fit : {Fit::pad, Fit::native, Fit::tile}) {
    contract.fit = fit;
    for (const char* preset : {"none", "light"}) {
      for (std::uint64_t index = 0; index < 20; ++index) {
        const AugmentedSample one =
            make_training_sample(gray, ones, contract, augment_preset(preset), 1, 0, index);
        std::size_t inside = 0;
        for (std::size_t i = 0; i < area; ++i) {
          ASSERT_TRUE(one.labels.labels[i] == 1 || one.labels.labels[i] == ignore_label);
          ASSERT_EQ(one.labels.labels[i] == ignore_label, one.input[i] == 0) << i;
          if (one.labels.labels[i] == 1) ++inside;
        }
        const double whole = fit == Fit::pad ? 40 * 20 : 20 * 10;
        if (std::string(preset) == "none") {
          EXPECT_EQ(static_cast<double>(inside), whole);
        } else {
          EXPECT_NEAR(static_cast<double>(inside), whole, 0.45 * whole);
        }
      }
    }
  }
}

TEST(Augment, LabelsStayLabels) {
  const LabelMap labels =
      test::make_labels(side, side, [](auto x, auto) { return x < side / 2 ? 0 : 2; });
  for (const char* preset : presets) {
    for (std::uint64_t index = 0; index < 50; ++index) {
      const AugmentedSample one = make_training_sample(quarters_image(), labels, plain_contract(1),
                                                       augment_preset(preset), 3, 0, index);
      const std::set<int> seen(one.labels.labels.begin(), one.labels.labels.end());
      for (const int label : seen) EXPECT_TRUE(label == 0 || label == 2) << label;
    }
  }
}

// Of twenty chances of one in ten some come true and most do not.
TEST(Augment, ChancesHoldOnAverage) {
  AugmentSettings settings;
  settings.holes = 3;
  settings.hole_side = 0.3;
  settings.holes_chance = 0.25;
  const AugmentedSample untouched = sample({}, 0);
  int cut = 0;
  constexpr int count = 400;
  for (std::uint64_t index = 0; index < count; ++index) {
    if (sample(settings, index).input != untouched.input) ++cut;
  }
  EXPECT_NEAR(cut, 0.25 * count, 4 * std::sqrt(count * 0.25 * 0.75));
}

}  // namespace
}  // namespace medurwkv::data
