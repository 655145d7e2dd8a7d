// What `--device cuda` runs, on a device beside the CPU (support/other_device.h): every tensor is
// where it belongs, and a training learns what it learns on the CPU.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <string>
#include <vector>

#include "engine/torch_engine.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/golden.h"
#include "support/other_device.h"
#include "support/tensors.h"
#include "train/learner.h"
#include "train/segmentation/objective.h"

namespace medurwkv {
namespace {

train::Batch batch_of(std::int64_t side) {
  const at::Tensor index = at::arange(2 * 3 * side * side, at::kDouble);
  const at::Tensor where = at::arange(2 * side * side, at::kLong);
  return {.images = at::sin(index * 0.37).reshape({2, 3, side, side}),
          .targets = {(where.floor_divide(7) % 2).reshape({2, side, side})},
          .ids = {}};
}

constexpr const char* no_device = "this LibTorch is made for a GPU, and there is none";

TEST(OtherDevice, RefusesTensorsOfTheCpu) {
  if (!test::has_other_device()) GTEST_SKIP() << no_device;
  const at::Tensor there = at::ones({2}).to(test::other_device());
  EXPECT_FALSE(there.is_cpu());
  EXPECT_EQ(test::elements(there + 1), (std::vector<double>{2, 2}));
  EXPECT_THROW(there + at::ones({2}), c10::Error);
}

class OtherDeviceTraining : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(OtherDeviceTraining, LearnsWhatTheCpuLearns) {
  if (!test::has_other_device()) GTEST_SKIP() << no_device;
  std::vector<std::string> settings{"network.preset=nano", "optimizer.ema=0.9"};
  settings.insert(settings.end(), GetParam().begin(), GetParam().end());
  train::Config config = train::load_config({}, settings);
  const net::NetworkConfig network = train::resolve_network(config, 2);
  const train::SegmentationObjective objective(config, network, 2);
  const std::int64_t side = network.architecture == net::Architecture::unet ? 32 : 64;
  const train::Batch batch = batch_of(side);
  train::Learner here(config, network, objective, at::kCPU, at::kDouble);
  train::Learner there(config, network, objective, test::other_device(), at::kDouble);
  for (std::int64_t step = 0; step < 2; ++step) {
    SCOPED_TRACE(step);
    const double total = here.learn(batch, step, 1).total;
    EXPECT_NEAR(there.learn(batch, step, 1).total, total, 1e-8 * total);
    const double norm = here.update(1e-3);
    EXPECT_NEAR(there.update(1e-3), norm, 1e-5 * norm);
  }
  for (const net::ParameterSpec& spec : there.judged().specs()) {
    const at::Tensor& tensor = there.judged().at(spec.name);
    EXPECT_EQ(tensor.device(), test::other_device()) << spec.name;
    const auto expected = test::elements(here.judged().at(spec.name));
    EXPECT_TRUE(test::is_close(test::elements(tensor), expected, 1e-5,
                               std::max(1e-2, test::largest(expected))))
        << spec.name;
  }
  // Judged as `evaluate` and `predict` do.
  engine::TorchEngine engine(network, there.judged(), {});
  engine::TorchEngine cpu_engine(network, here.judged(), {});
  const std::vector<float> image(static_cast<std::size_t>(3 * side * side), 0.25F);
  std::vector<float> logits(static_cast<std::size_t>(network.classes * side * side));
  std::vector<float> expected(logits.size());
  engine.run({1, side, side}, image, logits);
  cpu_engine.run({1, side, side}, image, expected);
  EXPECT_TRUE(
      test::is_close({logits.begin(), logits.end()}, {expected.begin(), expected.end()}, 1e-4));
}

INSTANTIATE_TEST_SUITE_P(
    Settings, OtherDeviceTraining,
    ::testing::Values(std::vector<std::string>{},
                      std::vector<std::string>{"network.wkv=released32"},
                      std::vector<std::string>{"network.wkv=released16", "network.preset=nanopost"},
                      std::vector<std::string>{"network.preset=unet_small"},
                      std::vector<std::string>{"loss.focal=1", "loss.tversky=1", "loss.boundary=1",
                                               "loss.class_weights=[1, 2]",
                                               "loss.deep_supervision=true"}));

}  // namespace
}  // namespace medurwkv
