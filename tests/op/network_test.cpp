// Laws of whole networks on TorchOps: any input size, any channels and classes, every bi-WKV mode;
// samples of a batch do not see each other; the plan predicts what LibTorch computes.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <string>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using torch_backend::ParameterStore;

at::Tensor some_image(const Shape& shape) {
  return test::tensor_of(test::fill_values("input", shape), shape, at::kDouble);
}

/// A store whose every tensor has an effect (the start values leave injectors at zero).
ParameterStore filled(const net::NetworkConfig& config) {
  ParameterStore store(plan::parameters_of(config), 0, at::kDouble, at::kCPU);
  test::fill(store);
  return store;
}

at::Tensor logits_of(const net::NetworkConfig& config, const ParameterStore& store,
                     const at::Tensor& image) {
  const at::NoGradGuard no_grad;
  return torch_backend::run_network(config, store, {}, image).logits;
}

struct Case {
  std::string preset;
  std::int64_t height, width, channels, classes;
  net::WkvMode mode;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.preset << " " << one.height << " x " << one.width << ", " << one.channels
       << " channels, " << one.classes << " classes, " << net::to_string(one.mode);
}

class AnyNetwork : public ::testing::TestWithParam<Case> {};

TEST_P(AnyNetwork, GivesFiniteLogitsOfTheImagesSize) {
  const auto& [preset, height, width, channels, classes, mode] = GetParam();
  net::NetworkConfig config = net::preset(preset, classes, channels);
  config.wkv = mode;
  const ParameterStore store = filled(config);
  const at::Tensor logits = logits_of(config, store, some_image({1, channels, height, width}));
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{1, classes, height, width}));
  EXPECT_TRUE(at::isfinite(logits).all().item().toBool());
  // Neither constant nor the same for all classes.
  if (height * width > 1) {
    EXPECT_GT(logits.select(1, 0).std().item().toDouble(), 0);
  }

  const plan::Plan plan = plan::record(config, 1, height, width);
  ASSERT_EQ(plan.outputs.size(), 1U);
  EXPECT_EQ(plan.values[static_cast<std::size_t>(plan.outputs[0])].shape, logits.sizes().vec());
}

class TrainableNetwork : public AnyNetwork {};

TEST_P(TrainableNetwork, GivesEveryParameterAGradient) {
  const auto& [preset, height, width, channels, classes, mode] = GetParam();
  net::NetworkConfig config = net::preset(preset, classes, channels);
  config.wkv = mode;
  const ParameterStore store = filled(config);
  const auto out = torch_backend::run_network(config, store, {.training = true},
                                              some_image({2, channels, height, width}));
  (out.logits * some_image(out.logits.sizes().vec())).sum().backward();
  for (const net::ParameterSpec& spec : store.specs()) {
    if (spec.buffer) continue;
    const at::Tensor& gradient = store.at(spec.name).grad();
    ASSERT_TRUE(gradient.defined()) << spec.name;
    EXPECT_TRUE(at::isfinite(gradient).all().item().toBool()) << spec.name;
  }
}

const std::vector<Case> trainable{{"nano", 64, 64, 3, 2, net::WkvMode::exact},
                                  {"nano", 33, 95, 1, 3, net::WkvMode::released32},
                                  {"nano", 97, 31, 5, 7, net::WkvMode::released16},
                                  {"nano", 200, 40, 3, 2, net::WkvMode::exact},
                                  {"nanopost", 70, 50, 4, 2, net::WkvMode::released32},
                                  {"unet_small", 50, 35, 1, 4, net::WkvMode::exact}};

INSTANTIATE_TEST_SUITE_P(Sizes, AnyNetwork, ::testing::ValuesIn(trainable));
INSTANTIATE_TEST_SUITE_P(Pixel, AnyNetwork,
                         ::testing::Values(Case{"nano", 1, 1, 3, 2, net::WkvMode::exact}));
INSTANTIATE_TEST_SUITE_P(Sizes, TrainableNetwork, ::testing::ValuesIn(trainable));

TEST(Network, SamplesOfABatchAreIndependent) {
  const net::NetworkConfig config = net::preset("nano", 3);
  const ParameterStore store = filled(config);
  const at::Tensor images = some_image({3, 3, 64, 96});
  const at::Tensor together = logits_of(config, store, images);
  for (std::int64_t i = 0; i < 3; ++i) {
    const at::Tensor alone = logits_of(config, store, images.narrow(0, i, 1));
    EXPECT_LT((together.narrow(0, i, 1) - alone).abs().max().item().toDouble(),
              1e-10 * alone.abs().max().item().toDouble());
  }
}

// Padding is part of the definition: a padded image's logits, cropped, are the image's.
TEST(Network, PadsWithTheEdge) {
  const net::NetworkConfig config = net::preset("nano", 2);
  const ParameterStore store = filled(config);
  const at::Tensor image = some_image({1, 3, 50, 70});
  const at::Tensor padded = torch_backend::TorchOps::pad_edge(image, {64, 96});
  const at::Tensor cropped =
      torch_backend::TorchOps::crop(logits_of(config, store, padded), {50, 70});
  EXPECT_LT((logits_of(config, store, image) - cropped).abs().max().item().toDouble(),
            1e-10 * cropped.abs().max().item().toDouble());
}

TEST(Network, DropPathChangesTrainingOnly) {
  net::NetworkConfig config = net::preset("nano", 2);
  config.encoder.drop_path = 0.5;
  const ParameterStore store = filled(config);
  const at::Tensor image = some_image({4, 3, 64, 64});
  const at::NoGradGuard no_grad;
  const auto logits = [&](torch_backend::RunMode mode) {
    return torch_backend::run_network(config, store, mode, image).logits;
  };
  const at::Tensor first = logits({.training = true, .seed = 1, .step = 0});
  EXPECT_TRUE(at::equal(first, logits({.training = true, .seed = 1, .step = 0})));
  EXPECT_FALSE(at::equal(first, logits({.training = true, .seed = 1, .step = 1})));
}

}  // namespace
}  // namespace medurwkv
