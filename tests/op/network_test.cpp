// Laws of whole networks on TorchOps: on any input size, any channels and classes and in every
// bi-WKV mode its logits are those of LibTorch's own operations, in the shape that the plan
// predicts, and every parameter gets a gradient; samples of a batch do not affect each other.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <algorithm>
#include <map>
#include <set>
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
ParameterStore filled(const net::NetworkConfig& config, at::ScalarType type = at::kDouble) {
  ParameterStore store(plan::parameters_of(config), 0, type, at::kCPU);
  test::fill(store);
  return store;
}

at::Tensor logits_of(const net::NetworkConfig& config, const ParameterStore& store,
                     const at::Tensor& image) {
  const at::NoGradGuard no_grad;
  return torch_backend::run_network(config, store, {}, image).logits;
}

/// The logits of LibTorch's own operations.
at::Tensor composed_logits_of(const net::NetworkConfig& config, const ParameterStore& store,
                              const at::Tensor& image) {
  const at::NoGradGuard no_grad;
  torch_backend::ComposedOps ops(store, {});
  return net::network(ops, config, image.contiguous(at::MemoryFormat::ChannelsLast)).logits;
}

double largest(const at::Tensor& x) {
  return x.abs().max().item().toDouble();
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

TEST_P(AnyNetwork, GivesTheLogitsOfLibTorchsOwnOperations) {
  const auto& [preset, height, width, channels, classes, mode] = GetParam();
  net::NetworkConfig config = net::preset(preset, classes, channels);
  config.wkv = mode;
  const ParameterStore store = filled(config);
  const at::Tensor image = some_image({1, channels, height, width});
  const at::Tensor logits = logits_of(config, store, image);
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{1, classes, height, width}));
  const at::Tensor expected = composed_logits_of(config, store, image);
  EXPECT_LT(largest(logits - expected), 1e-10 * largest(expected));
  // The kernels that run in float32 alone, within the tolerance of the golden files.
  const at::Tensor single =
      logits_of(config, filled(config, at::kFloat), image.to(at::kFloat)).to(at::kDouble);
  EXPECT_LT(largest(single - expected), 2e-3 * largest(expected));
  // Neither constant nor the same for all classes.
  if (height * width > 1) {
    EXPECT_GT(logits.select(1, 0).std().item().toDouble(), 0.01);
  }
  EXPECT_GT(largest(logits.select(1, 0) - logits.select(1, 1)), 0.01);

  const plan::Plan plan = plan::record(config, 1, height, width);
  ASSERT_EQ(plan.outputs.size(), 1U);
  EXPECT_EQ(plan.values[static_cast<std::size_t>(plan.outputs[0])].shape, logits.sizes().vec());
}

class TrainableNetwork : public AnyNetwork {};

// But for those that batch normalisation takes off again (golden/data/README.md: zero by
// construction).
TEST_P(TrainableNetwork, GivesEveryParameterAGradient) {
  const auto& [preset, height, width, channels, classes, mode] = GetParam();
  net::NetworkConfig config = net::preset(preset, classes, channels);
  config.wkv = mode;
  const ParameterStore store = filled(config);
  const auto out = torch_backend::run_network(config, store, {.training = true},
                                              some_image({2, channels, height, width}));
  (out.logits * some_image(out.logits.sizes().vec())).sum().backward();
  const std::set<std::string> without{"encoder.up.bias", "encoder.spm.fc1.bias"};
  std::map<std::string, double> sizes;
  double most = 0;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (spec.buffer) continue;
    const at::Tensor& gradient = store.at(spec.name).grad();
    ASSERT_TRUE(gradient.defined()) << spec.name;
    ASSERT_TRUE(at::isfinite(gradient).all().item().toBool()) << spec.name;
    sizes[spec.name] = largest(gradient);
    most = std::max(most, largest(gradient));
  }
  for (const auto& [name, size] : sizes) {
    EXPECT_EQ(size > 1e-9 * most, !without.contains(name))
        << name << ": " << size << " of " << most;
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
