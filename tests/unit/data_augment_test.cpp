// Augmentation: independence of order and threads, which symmetries it draws, what it leaves alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "data/augment.h"
#include "support/images.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

constexpr std::array strengths{AugmentStrength::light, AugmentStrength::medium,
                               AugmentStrength::strong};
constexpr std::int64_t side = 40;

InputContract plain_contract(std::int64_t channels = 3) {
  InputContract contract;
  contract.width = contract.height = side;
  contract.channels = channels;
  contract.mean.assign(static_cast<std::size_t>(channels), 0);
  contract.deviation.assign(static_cast<std::size_t>(channels), 1);
  return contract;
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

AugmentedSample sample(AugmentStrength strength, std::uint64_t index, std::uint64_t epoch = 0,
                       std::uint64_t seed = 11) {
  return make_training_sample(quarters_image(), quarters_labels(), plain_contract(1), strength,
                              seed, epoch, index);
}

TEST(Augment, IsTheSameInAnyOrderAndFromManyThreads) {
  constexpr std::size_t count = 24;
  std::vector<AugmentedSample> forward;
  for (std::size_t i = 0; i < count; ++i) forward.push_back(sample(AugmentStrength::strong, i));
  std::vector<AugmentedSample> shuffled(count);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {  // each from the back, every fourth
      for (std::size_t i = count; i-- > 0;) {
        if (i % 4 == t) shuffled[i] = sample(AugmentStrength::strong, i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(forward[i].input, shuffled[i].input) << i;
    EXPECT_EQ(forward[i].labels, shuffled[i].labels) << i;
  }
}

// Seed, epoch and index are three keys, not one sum: no two of 64 combinations give one picture.
TEST(Augment, SeedEpochAndIndexAllCount) {
  std::set<std::vector<float>> seen;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
      for (std::uint64_t index = 0; index < 4; ++index) {
        seen.insert(sample(AugmentStrength::light, index, epoch, seed).input);
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
  for (const auto& [strength, expected] :
       {std::pair{AugmentStrength::light, flips}, std::pair{AugmentStrength::medium, all}}) {
    std::map<std::string, int> uses;
    for (std::uint64_t i = 0; i < count; ++i) ++uses[arrangement(sample(strength, i))];
    std::set<std::string> seen;
    for (const auto& [text, unused] : uses) seen.insert(text);
    EXPECT_EQ(seen, expected);
    const double share = 1.0 / static_cast<double>(expected.size());
    for (const auto& [text, times] : uses) {
      EXPECT_NEAR(times, count * share, 4 * std::sqrt(count * share * (1 - share))) << text;
    }
  }
}

// The four quarters have four shades; changes of colour keep their order, so the image must show at
// the quarter points the order of the labels there.
TEST(Augment, ImageAndLabelsMoveByTheSameMap) {
  for (const AugmentStrength strength : {AugmentStrength::light, AugmentStrength::medium}) {
    for (std::uint64_t index = 0; index < 200; ++index) {
      const AugmentedSample one = sample(strength, index);
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

// Channel 0 rises along x through channel 1's gray just between the pixels 19 and 20, channel 2
// along y; labels change there. Colour changes keep the order of channels, so after any warp a
// pixel's label must say on which side of the gray the other two are: labels are not half a pixel
// off.
TEST(Augment, LabelsLieUnderTheImageToTheSubpixel) {
  const Image image = test::make_image(side, side, 3, [](auto x, auto y, auto c) {
    return c == 1 ? 128 : 50 + 4 * static_cast<int>(c == 0 ? x : y);  // 126 at 19, 130 at 20
  });
  constexpr std::size_t area = side * side;
  std::size_t compared = 0;
  for (std::uint64_t index = 0; index < 40; ++index) {
    const AugmentedSample one = make_training_sample(image, quarters_labels(), plain_contract(),
                                                     AugmentStrength::light, 2, 0, index);
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

// Borders are mirrored, so a warp brings in nothing that is not in the picture.
TEST(Augment, BringsInNoForeignBackground) {
  const LabelMap ones = test::make_labels(33, 21, [](auto, auto) { return 1; });
  const LabelMap ignored =
      test::make_labels(33, 21, [](auto x, auto) { return x % 3 == 0 ? 255 : 4; });
  const Image gray = test::make_image(33, 21, 3, [](auto, auto, auto) { return 128; });
  for (const AugmentStrength strength : strengths) {
    for (std::uint64_t index = 0; index < 30; ++index) {
      const auto with = [&](const LabelMap& labels) {
        return make_training_sample(gray, labels, plain_contract(), strength, 5, 1, index);
      };
      const AugmentedSample one = with(ones);
      EXPECT_EQ(one.labels, test::make_labels(side, side, [](auto, auto) { return 1; }));
      const std::vector<std::uint8_t> two = with(ignored).labels.labels;
      EXPECT_TRUE(std::all_of(two.begin(), two.end(),
                              [](std::uint8_t label) { return label == 4 || label == 255; }));
      if (strength == AugmentStrength::light) {  // no noise: one gray stays one gray
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
        make_training_sample(loud, labels, contract, AugmentStrength::strong, 1, 1, index);
    for (const float value : one.input) {
      ASSERT_GE(value, -2.0F);
      ASSERT_LE(value, 2.0F);
    }
  }
}

TEST(Augment, AnUnknownStrengthIsAUsageError) {
  EXPECT_EQ(augment_strength_from("none"), AugmentStrength::none);
  EXPECT_EQ(augment_strength_from("strong"), AugmentStrength::strong);
  const auto refused = test::refusal_of([] { return augment_strength_from("mediun"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::usage);
  EXPECT_TRUE(refused->names("medium")) << refused->message;
}

TEST(Augment, NoneIsTheContractAlone) {
  InputContract contract = plain_contract(1);
  contract.width = contract.height = 24;
  const AugmentedSample plain = make_training_sample(quarters_image(), quarters_labels(), contract,
                                                     AugmentStrength::none, 1, 2, 3);
  EXPECT_EQ(plain.input, to_network_input(quarters_image(), contract));
  EXPECT_EQ(plain.labels, resize_nearest(quarters_labels(), {24, 24}));
}

TEST(Augment, LabelsStayLabels) {
  const LabelMap labels =
      test::make_labels(side, side, [](auto x, auto) { return x < side / 2 ? 0 : 2; });
  for (const AugmentStrength strength : strengths) {
    for (std::uint64_t index = 0; index < 50; ++index) {
      const AugmentedSample one =
          make_training_sample(quarters_image(), labels, plain_contract(1), strength, 3, 0, index);
      const std::set<int> seen(one.labels.labels.begin(), one.labels.labels.end());
      for (const int label : seen) EXPECT_TRUE(label == 0 || label == 2) << label;
    }
  }
}

}  // namespace
}  // namespace medurwkv::data
