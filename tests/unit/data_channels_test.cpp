// Which images a network takes, and how the others are refused.
#include "data/layout/channels.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/feed/augment.h"
#include "data/image/geometry.h"
#include "support/images.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

using Numbers = std::vector<std::int64_t>;

std::vector<Case> cases_of(const std::vector<std::string>& files) {
  std::vector<Case> out;
  for (const std::string& file : files) {
    out.push_back({.id = file, .group = file, .images = {{file}}, .masks = {}});
  }
  return out;
}

std::string refusal_of(const Numbers& channels, std::int64_t wanted) {
  const std::vector<std::string> names{"a.png", "b.png", "c.png"};
  const auto refusal = test::refusal_of([&] {
    check_channels(cases_of({names.begin(), names.begin() + std::ssize(channels)}), channels,
                   wanted, "--set network.channels=");
  });
  return refusal ? refusal->message : "";
}

TEST(Channels, GrayIsRepeatedForThreeAndForNoOther) {
  for (const std::int64_t image : {1, 2, 3, 4, 5}) {
    for (const std::int64_t network : {1, 2, 3, 4, 5}) {
      const std::optional<ChannelUse> expected = image == network ? std::optional(ChannelUse::same)
                                                 : image == 1 && network == 3
                                                     ? std::optional(ChannelUse::repeat)
                                                     : std::nullopt;
      EXPECT_EQ(channel_use(image, network), expected) << image << " for " << network;
    }
  }
}

// Every way of an image into a network decides alike.
TEST(Channels, EveryWayIntoANetworkRefusesTheSame) {
  const LabelMap labels = test::make_labels(4, 4, [](auto, auto) { return 0; });
  for (const std::int64_t image : {1, 2, 3, 5}) {
    const Image picture = test::make_image(4, 4, image, [](auto, auto, auto) { return 7; });
    for (const std::int64_t network : {1, 2, 3, 5}) {
      InputContract contract{.fit = Fit::stretch, .width = 4, .height = 4, .channels = network};
      contract.mean.assign(static_cast<std::size_t>(network), 0);
      contract.deviation.assign(static_cast<std::size_t>(network), 1);
      const bool taken = channel_use(image, network).has_value();
      const auto planes = test::refusal_of([&] { image_planes(picture, network); });
      const auto input = test::refusal_of([&] { to_network_input(picture, contract); });
      EXPECT_EQ(!planes, taken) << image << " for " << network;
      EXPECT_EQ(!input, taken) << image << " for " << network;
      for (const char* augment : {"none", "medium"}) {
        const auto sample = test::refusal_of([&] {
          make_training_sample(picture, labels, contract, augment_preset(augment), 1, 2, 3);
        });
        EXPECT_EQ(!sample, taken) << image << " for " << network << ", " << augment;
      }
      if (taken) continue;
      EXPECT_TRUE(input->names("takes " + std::to_string(network) + " channel")) << input->message;
      EXPECT_TRUE(input->names("the image has " + std::to_string(image))) << input->message;
    }
  }
}

TEST(Channels, TheRefusalNamesTheFileAndTheNumberThatFitsAll) {
  EXPECT_EQ(refusal_of({3, 1, 3}, 3), "");
  EXPECT_EQ(refusal_of({2, 2}, 2), "");
  EXPECT_EQ(refusal_of({5, 5}, 3),
            "a.png: the network takes 3 channels, the image has 5; use --set network.channels=5");
  EXPECT_EQ(refusal_of({1, 1}, 5),
            "a.png: the network takes 5 channels, the image has 1; use --set network.channels=1");
  EXPECT_EQ(refusal_of({1, 3, 1}, 1),
            "b.png: the network takes 1 channel, the image has 3; use --set network.channels=3")
      << "gray and colour";
}

// No number is right for all: then none is named as the remedy.
TEST(Channels, ASetThatNoNetworkTakesNamesTwoOfItsFiles) {
  for (const std::int64_t wanted : {1, 3, 5}) {
    const std::string message = refusal_of({1, 5, 1}, wanted);
    EXPECT_NE(message.find("a.png"), std::string::npos) << message;
    EXPECT_NE(message.find("b.png"), std::string::npos) << message;
    EXPECT_EQ(message.find("use --set"), std::string::npos) << message;
  }
}

TEST(Channels, ANetworkForASetTakesGrayAsColour) {
  EXPECT_EQ(channels_for({1, 1}), 3);
  EXPECT_EQ(channels_for({1, 3}), 3);
  EXPECT_EQ(channels_for({2, 2}), 2);
  EXPECT_EQ(channels_for({5}), 5);
}

}  // namespace
}  // namespace medurwkv::data
