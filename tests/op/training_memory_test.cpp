// What a training step takes in memory: worked out by hand, and its laws. That runs take as much:
// docs/performance.md.
#include "torch/training_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

#include "net/presets.h"
#include "plan/counting.h"
#include "plan/record_ops.h"

namespace medurwkv {
namespace {

// conv 3 -> n, ReLU, conv n -> 2 on 8 x 8, in bytes: the image 768, the first map and its ReLU 256
// n each, logits 512 (a plane 256). With n = 16 the most is needed where the gradient passes the
// ReLU: image, logits, the gradient of the last weights (128), the ReLU's result and the gradients
// on both of its sides. With n = 1 it is needed in the loss: image, the ReLU's result, logits, 4 x
// 512 + 5 x 256 and, while it makes its truth, 3 x 512.
TEST(TrainingMemory, OfTwoConvolutionsByHand) {
  const auto of = [](std::int64_t channels) {
    plan::Plan plan;
    plan::RecordOps ops(plan);
    plan.input = plan.add_value({1, 3, 8, 8});
    const auto first = ops.param({.name = "first", .shape = {channels, 3, 3, 3}});
    const auto second = ops.param({.name = "second", .shape = {2, channels, 1, 1}});
    const auto map = ops.conv2d(plan.input, first, std::nullopt, {.padding = 1});
    plan.outputs = {ops.conv2d(ops.relu(map), second, std::nullopt, {})};
    return torch_backend::training_memory(plan);
  };
  EXPECT_EQ(of(16).parameters, 4 * (16 * 27 + 32));
  EXPECT_EQ(of(16).moments, 2 * of(16).parameters);
  EXPECT_EQ(of(16).step, 768 + 512 + 128 + 3 * 4096);
  EXPECT_EQ(of(1).step, 768 + 256 + 512 + 4 * 512 + 5 * 256 + 3 * 512);
}

// The batch multiplies activations and leaves parameters; training needs more than running does.
TEST(TrainingMemory, GrowsWithTheBatch) {
  for (const std::string preset : {"nano", "tiny", "unet_small"}) {
    const net::NetworkConfig config = net::preset(preset);
    const auto of = [&](std::int64_t batch) {
      return torch_backend::training_memory(plan::record(config, batch, 128, 96));
    };
    EXPECT_EQ(of(4).parameters, of(1).parameters);
    EXPECT_NEAR(static_cast<double>(of(16).step - of(8).step),
                static_cast<double>(2 * (of(8).step - of(4).step)),
                0.02 * static_cast<double>(of(16).step))
        << preset;
    EXPECT_GT(of(8).step, plan::count(plan::record(config, 8, 128, 96)).peak_bytes) << preset;
  }
}

}  // namespace
}  // namespace medurwkv
