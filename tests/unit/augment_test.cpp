// Augmentation: a pure function of (seed, epoch, index) that keeps image and labels together.
#include "data/augment.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "support/images.h"

namespace medurwkv::data {
namespace {

constexpr AugmentStrength strengths[] = {AugmentStrength::light, AugmentStrength::medium,
                                         AugmentStrength::strong};

/// Label 2 where the image is bright, 0 elsewhere: what a warp must keep together.
Image half_bright() {
  return test::make_image(40, 40, 3, [](auto x, auto, auto) { return x < 20 ? 20 : 235; });
}
LabelMap half_labels() {
  return test::make_labels(40, 40, [](auto x, auto) { return x < 20 ? 0 : 2; });
}

InputContract contract_of(std::int64_t side) {
  InputContract contract;
  contract.width = contract.height = side;
  contract.mean = {0, 0, 0};
  contract.deviation = {1, 1, 1};
  return contract;
}

AugmentedSample sample(AugmentStrength strength, std::uint64_t epoch, std::uint64_t index) {
  return make_training_sample(half_bright(), half_labels(), contract_of(40), strength, 3, epoch,
                              index);
}

TEST(Augment, NoneIsTheContractAlone) {
  const AugmentedSample plain = make_training_sample(half_bright(), half_labels(), contract_of(24),
                                                     AugmentStrength::none, 1, 2, 3);
  EXPECT_EQ(plain.input, to_network_input(half_bright(), contract_of(24)));
  EXPECT_EQ(plain.labels, resize_nearest(half_labels(), {24, 24}));
}

TEST(Augment, IsAPureFunctionOnAnyThread) {
  for (const AugmentStrength strength : strengths) {
    const AugmentedSample first = sample(strength, 4, 7);
    AugmentedSample second;
    std::thread([&] {
      sample(strength, 0, 0);
      second = sample(strength, 4, 7);
    }).join();
    EXPECT_EQ(first.input, second.input);
    EXPECT_EQ(first.labels, second.labels);
    EXPECT_NE(first.input, sample(strength, 5, 7).input) << "another epoch";
    EXPECT_NE(first.input, sample(strength, 4, 8).input) << "another sample";
  }
}

TEST(Augment, LabelsStayLabels) {
  for (const AugmentStrength strength : strengths) {
    for (std::uint64_t index = 0; index < 50; ++index) {
      const AugmentedSample one = sample(strength, 0, index);
      const std::set<int> seen(one.labels.labels.begin(), one.labels.labels.end());
      for (const int label : seen) EXPECT_TRUE(label == 0 || label == 2) << label;
    }
  }
}

// Bright and dark stay far apart under every change of brightness, so a pixel's side tells its
// label; only the blurred edge may disagree.
TEST(Augment, WarpsImageAndLabelsTogether) {
  for (const AugmentStrength strength : strengths) {
    for (std::uint64_t index = 0; index < 50; ++index) {
      const AugmentedSample one = sample(strength, 1, index);
      double bright = 0;
      double dark = 0;
      std::int64_t brights = 0;
      for (std::size_t i = 0; i < one.labels.labels.size(); ++i) {
        const bool is_bright = one.labels.labels[i] == 2;
        (is_bright ? bright : dark) += static_cast<double>(one.input[i]);
        brights += is_bright ? 1 : 0;
      }
      const auto darks = static_cast<std::int64_t>(one.labels.labels.size()) - brights;
      if (brights == 0 || darks == 0) continue;
      EXPECT_GT(bright / static_cast<double>(brights), dark / static_cast<double>(darks) + 0.2);
    }
  }
}

}  // namespace
}  // namespace medurwkv::data
