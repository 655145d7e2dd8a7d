// The native engine beside TorchOps: random sizes, channels, classes, modes and batches of every
// preset, by the fill rule, from start values and trained. Both are float32; TorchOps in float64
// says how far each is off.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <ostream>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"
#include "native/program.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/native_run.h"
#include "support/network_case.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"
#include "train/optimizer.h"
#include "train/segmentation/loss.h"

namespace medurwkv {
namespace {

using test::NetworkCase;
using torch_backend::ParameterStore;

enum class Weights { filled, started, trained };

struct Case {
  NetworkCase network;
  Weights weights = Weights::filled;
  std::uint64_t seed = 0;
};

void PrintTo(const Case& one, std::ostream* out) {
  PrintTo(one.network, out);
  *out << (one.weights == Weights::filled    ? ", by the fill rule"
           : one.weights == Weights::started ? ", from start values"
                                             : ", trained")
       << ", seed " << one.seed;
}

at::Tensor image_of(const Case& one) {
  const NetworkCase& network = one.network;
  const Shape shape{network.batch, network.network.channels, network.height, network.width};
  const Random random({one.seed, 1});
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = random.uniform(i, -2, 2);
  // As float32 has them, so that all start from the same numbers.
  return test::tensor_of(values, shape, at::kFloat);
}

/// Steps on one batch whose classes follow the image: weights that training has moved, running
/// statistics of a batch.
void train_some_steps(const Case& one, const ParameterStore& store) {
  train::AdamW optimizer({});
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) optimizer.add(spec.name, store.at(spec.name), 0.01);
  }
  Case shown = one;
  shown.network.batch = 2;
  const at::Tensor image = image_of(shown);
  const at::Tensor labels = (image.select(1, 0) > 0).to(at::kLong);
  for (int step = 0; step < 25; ++step) {
    const auto out =
        torch_backend::run_network(one.network.network, store, {.training = true}, image);
    train::segmentation_loss(out.logits, labels, {}).total.backward();
    optimizer.step(3e-3);
    optimizer.zero_gradients();
  }
}

/// In `store`'s type; always the same numbers, those of float32.
std::vector<std::vector<float>> weights_of(const Case& one) {
  const std::vector<net::ParameterSpec> specs = plan::parameters_of(one.network.network);
  ParameterStore store(specs, one.seed, at::kFloat, at::kCPU);
  if (one.weights == Weights::filled) test::fill(store);
  if (one.weights == Weights::trained) train_some_steps(one, store);
  std::vector<std::vector<float>> out;
  for (const net::ParameterSpec& spec : specs) {
    const at::Tensor values = store.at(spec.name).detach().to(at::kFloat).contiguous();
    out.emplace_back(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  }
  return out;
}

using Outputs = std::vector<std::vector<double>>;

Outputs by_torch(const Case& one, const std::vector<std::vector<float>>& weights,
                 at::ScalarType type) {
  ParameterStore store(plan::parameters_of(one.network.network), std::nullopt, type, at::kCPU);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const net::ParameterSpec& spec = store.specs()[i];
    if (spec.integer) continue;
    const at::NoGradGuard no_grad;
    const at::Tensor& to = store.at(spec.name);
    to.view({-1}).copy_(at::from_blob(const_cast<float*>(weights[i].data()),  // NOLINT
                                      {static_cast<std::int64_t>(weights[i].size())}, at::kFloat));
  }
  const at::NoGradGuard no_grad;
  const auto out =
      torch_backend::run_network(one.network.network, store, {}, image_of(one).to(type));
  Outputs all;
  if (one.network.network.architecture != net::Architecture::encoder) {
    return {test::elements(out.logits)};
  }
  for (const at::Tensor& map : out.features) all.push_back(test::elements(map));
  return all;
}

Outputs by_engine(const Case& one, const std::vector<std::vector<float>>& weights) {
  const NetworkCase& network = one.network;
  const plan::Plan recorded =
      plan::record(network.network, network.batch, network.height, network.width);
  native::Program program(recorded, [&](const net::ParameterSpec& spec) {
    const auto found =
        std::find_if(recorded.parameters.begin(), recorded.parameters.end(),
                     [&](const net::ParameterSpec& other) { return other.name == spec.name; });
    return weights[static_cast<std::size_t>(found - recorded.parameters.begin())];
  });
  const at::Tensor image = image_of(one).contiguous();
  const std::vector<std::vector<float>> results = test::run_native(
      program, recorded, {image.data_ptr<float>(), image.data_ptr<float>() + image.numel()});
  Outputs out;
  for (const std::vector<float>& result : results) out.emplace_back(result.begin(), result.end());
  return out;
}

/// The largest difference over the largest number, of the worst output.
double error(const Outputs& actual, const Outputs& expected) {
  if (actual.size() != expected.size()) return HUGE_VAL;
  double worst = 0;
  for (std::size_t n = 0; n < actual.size(); ++n) {
    if (actual[n].size() != expected[n].size()) return HUGE_VAL;
    double most = 0;
    double largest = 1e-300;
    for (std::size_t i = 0; i < actual[n].size(); ++i) {
      if (!std::isfinite(actual[n][i])) return HUGE_VAL;
      most = std::max(most, std::abs(actual[n][i] - expected[n][i]));
      largest = std::max(largest, std::abs(expected[n][i]));
    }
    worst = std::max(worst, most / largest);
  }
  return worst;
}

class NativeParity : public ::testing::TestWithParam<Case> {};

TEST_P(NativeParity, IsAsExactAsTorchOps) {
  const Case& one = GetParam();
  std::int64_t parameters = 0;
  for (const net::ParameterSpec& spec : plan::parameters_of(one.network.network)) {
    parameters += element_count(spec.shape);
  }
  // float64, float32 and the engine's own, and what it packs anew.
  if (24 * parameters > memory_left()) {
    GTEST_SKIP() << "takes " << human_bytes(24e0 * static_cast<double>(parameters));
  }
  const std::vector<std::vector<float>> weights = weights_of(one);
  const Outputs exact = by_torch(one, weights, at::kDouble);
  const double theirs = error(by_torch(one, weights, at::kFloat), exact);
  const double ours = error(by_engine(one, weights), exact);
  const bool released = one.network.network.wkv != net::WkvMode::exact;
  const double allowed = released ? 3 * theirs : std::max(2e-5, 2 * theirs);
  EXPECT_LE(ours, allowed) << "TorchOps in float32: " << theirs;
  std::cout << ::testing::PrintToString(one) << ": engine " << ours << ", TorchOps " << theirs
            << "\n";
}

struct Range {
  std::string preset;
  int cases;
  std::int64_t largest_side;
  std::int64_t most_images;
};

std::vector<Case> drawn() {
  std::vector<Case> out;
  std::uint64_t seed = 1;
  for (const auto& [preset, cases, side, images] :
       {Range{"nano", 8, 120, 3}, Range{"nanopost", 5, 120, 3}, Range{"tiny", 4, 100, 2},
        Range{"small", 2, 64, 1}, Range{"base", 1, 33, 1}, Range{"large", 1, 32, 1},
        Range{"unet_small", 3, 100, 2}, Range{"unet", 1, 48, 1}}) {
    for (int i = 0; i < cases; ++i, ++seed) {
      const Random random({seed, 77});
      std::uint64_t next = 0;
      const auto draw = [&](std::int64_t from, std::int64_t to) {
        return from + static_cast<std::int64_t>(
                          random.below(next++, static_cast<std::uint64_t>(to - from + 1)));
      };
      Case one{.network = {.network = net::preset(preset, draw(2, 6), draw(1, 5)),
                           .batch = draw(1, images),
                           .height = draw(1, side),
                           .width = draw(1, side)},
               .weights = i % 3 == 0 ? Weights::filled : Weights::started,
               .seed = seed};
      constexpr net::WkvMode modes[] = {net::WkvMode::exact, net::WkvMode::released32,
                                        net::WkvMode::released16};
      one.network.network.wkv = modes[i % 3];
      out.push_back(one);
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Drawn, NativeParity, ::testing::ValuesIn(drawn()));

std::vector<Case> trained() {
  std::vector<Case> out;
  std::uint64_t seed = 101;
  for (const std::string preset : {"nano", "nanopost", "unet_small"}) {
    for (const net::WkvMode mode :
         {net::WkvMode::exact, net::WkvMode::released32, net::WkvMode::released16}) {
      if (preset == "unet_small" && mode != net::WkvMode::exact) continue;
      Case one{.network = {.network = net::preset(preset, 2, 3), .height = 64, .width = 96},
               .weights = Weights::trained,
               .seed = seed++};
      one.network.network.wkv = mode;
      out.push_back(one);
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Trained, NativeParity, ::testing::ValuesIn(trained()));

std::vector<Case> other_networks() {
  return {{.network = {.network = net::encoder_preset("nano"), .batch = 2, .height = 75},
           .weights = Weights::filled,
           .seed = 201},
          {.network = {.network = net::encoder_preset("tiny"), .height = 64, .width = 96},
           .weights = Weights::started,
           .seed = 202},
          {.network = {.network = net::classifier_preset("nano", 7), .height = 50},
           .weights = Weights::filled,
           .seed = 203},
          {.network = {.network = net::classifier_preset("tiny", 10), .height = 48},
           .weights = Weights::filled,
           .seed = 204}};
}

INSTANTIATE_TEST_SUITE_P(Others, NativeParity, ::testing::ValuesIn(other_networks()));

}  // namespace
}  // namespace medurwkv
