// The whole network against the golden files: every stage, logits, losses, every gradient, running
// statistics, ten optimiser steps; in float64 and float32, the small networks on every instruction
// set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/arithmetic.h"
#include "support/fill_rule.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"
#include "train/optimizer.h"
#include "train/segmentation/loss.h"

namespace medurwkv {
namespace {

using torch_backend::ParameterStore;

const Shape image_shape{2, 3, 64, 96};

net::NetworkConfig config_of(const std::string& preset, const std::string& mode) {
  net::NetworkConfig config = net::preset(preset, 3);
  config.wkv = mode == "exact"  ? net::WkvMode::exact
               : mode == "vr32" ? net::WkvMode::released32
                                : net::WkvMode::released16;
  return config;
}

ParameterStore filled_store(const net::NetworkConfig& config, at::ScalarType type,
                            const at::Device& device = at::kCPU) {
  ParameterStore store(plan::parameters_of(config), 0, type, device);
  test::fill(store);
  return store;
}

at::Tensor filled_input(const Shape& shape, const at::TensorOptions& type) {
  return test::tensor_of(test::fill_values("input", shape), shape, type);
}

/// labels = floor(3 r("labels", i)).
at::Tensor golden_labels() {
  std::vector<std::int64_t> labels(static_cast<std::size_t>(2 * 64 * 96));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<std::int64_t>(3 * test::fill_uniform("labels", i));
  }
  return at::tensor(labels, at::kLong).reshape({2, 64, 96});
}

struct Case {
  std::string preset, mode;
  test::Arithmetic arithmetic;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.preset << ", " << one.mode << ", " << one.arithmetic.name();
}

std::string name_of(const ::testing::TestParamInfo<Case>& tested) {
  return tested.param.preset + "_" + tested.param.mode + "_" + tested.param.arithmetic.name();
}

class NetworkGolden : public ::testing::TestWithParam<Case> {
 protected:
  [[nodiscard]] bool single() const { return GetParam().arithmetic.single(); }
  /// released16 is in a file of our own making (scripts/make-golden-released16).
  [[nodiscard]] std::string file_name() const {
    return "medurwkv_" + GetParam().preset + (GetParam().mode == "vr16" ? "_released16" : "");
  }

 private:
  test::Forced forced_{GetParam().arithmetic};
};

class NetworkStepGolden : public NetworkGolden {};

TEST_P(NetworkGolden, EvaluationStages) {
  MEDURWKV_GOLDEN_OR_SKIP(file, file_name());
  const std::string mode = GetParam().mode;
  const test::Arithmetic& arithmetic = GetParam().arithmetic;
  const net::NetworkConfig config = config_of(GetParam().preset, mode);
  const ParameterStore store = filled_store(config, arithmetic.type, arithmetic.device);
  const at::NoGradGuard no_grad;
  const auto out = torch_backend::run_network(config, store, {},
                                              filled_input(image_shape, arithmetic.options()));
  const auto& facts = test::golden_facts(file_name()).at("tolerance");
  const double tolerance = single() ? facts.at("float32").at("eval").get<double>()
                                    : facts.at("float64").at("stages_and_logits").get<double>();
  const auto check = [&](const std::string& stage, const at::Tensor& actual) {
    const std::string name = stage + ".eval." + mode;
    EXPECT_TRUE(test::is_close(test::elements(actual), file.values(name), tolerance)) << name;
  };
  for (std::size_t i = 0; i < 4; ++i) check("f" + std::to_string(i + 1), out.features[i]);
  check("bottleneck", *out.bottleneck);
  for (std::size_t i = 0; i < 3; ++i) check("decoder." + std::to_string(i), out.decoder[i]);
  check("logits", out.logits);
}

TEST_P(NetworkStepGolden, TrainingStepWithEveryGradient) {
  MEDURWKV_GOLDEN_OR_SKIP(file, file_name());
  const auto& [preset, mode, arithmetic] = GetParam();
  const net::NetworkConfig config = config_of(preset, mode);
  const ParameterStore store = filled_store(config, arithmetic.type, arithmetic.device);
  const auto out = torch_backend::run_network(config, store, {.training = true},
                                              filled_input(image_shape, arithmetic.options()));
  const train::Loss loss =
      train::segmentation_loss(out.logits, golden_labels().to(arithmetic.device), {});
  loss.total.backward();

  const auto& facts = test::golden_facts(file_name());
  const auto& tolerance = facts.at("tolerance").at(single() ? "float32" : "float64");
  const double logits_tolerance =
      tolerance.at(single() ? "train" : "stages_and_logits").get<double>();
  EXPECT_TRUE(test::is_close(test::elements(out.logits), file.values("logits.train." + mode),
                             logits_tolerance));
  const std::vector<double> losses{loss.total.item().toDouble(), loss.parts[0].item().toDouble(),
                                   loss.parts[1].item().toDouble()};
  EXPECT_TRUE(test::is_close(losses, file.values("loss.train." + mode),
                             tolerance.at("loss").get<double>()));

  double largest_gradient = 0;
  for (const weights::TensorInfo& info : file.tensors()) {
    if (info.name.starts_with("grad." + mode)) {
      largest_gradient = std::max(largest_gradient, test::largest(file.values(info.name)));
    }
  }
  const auto zero = facts.at("zero_gradients").get<std::vector<std::string>>();
  std::size_t checked = 0;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (spec.buffer) continue;
    const std::vector<double> expected = file.values("grad." + mode + "." + spec.name);
    double allowed = 0;
    if (single()) {
      allowed = std::max(1e-2 * test::largest(expected), 3e-3 * largest_gradient);
    } else if (std::find(zero.begin(), zero.end(), spec.name) != zero.end()) {
      allowed = 1e-6 * largest_gradient;
    } else {
      allowed = 1e-6 * test::largest(expected);
    }
    EXPECT_TRUE(test::is_close(test::elements(store.at(spec.name).grad()), expected, allowed, 1))
        << spec.name;
    ++checked;
  }
  EXPECT_GT(checked, 200U);
  if (mode != "exact") return;
  for (const weights::TensorInfo& info : file.tensors()) {
    const std::string prefix = "buffer.after.";
    if (!info.name.starts_with(prefix)) continue;
    const at::Tensor& buffer = store.at(info.name.substr(prefix.size()));
    EXPECT_TRUE(test::is_close(test::elements(buffer), file.values(info.name), logits_tolerance))
        << info.name;
  }
}

std::vector<Case> everywhere(const std::vector<std::pair<std::string, std::string>>& networks) {
  std::vector<Case> out;
  for (const auto& [preset, mode] : networks) {
    for (const test::Arithmetic& arithmetic : test::every_arithmetic()) {
      out.push_back({preset, mode, arithmetic});
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Nano, NetworkGolden,
                         ::testing::ValuesIn(everywhere({{"nano", "exact"},
                                                         {"nano", "vr32"},
                                                         {"nano", "vr16"},
                                                         {"nanopost", "exact"},
                                                         {"nanopost", "vr32"}})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Nano, NetworkStepGolden,
                         ::testing::ValuesIn(everywhere({{"nano", "exact"},
                                                         {"nano", "vr32"},
                                                         {"nanopost", "exact"},
                                                         {"nanopost", "vr32"}})),
                         name_of);

/// Ten AdamW steps on one batch: the losses before each step and some parameters after the last.
struct StepsRun {
  std::vector<double> losses;
  std::vector<std::vector<double>> after;
};

StepsRun run_steps(const weights::TensorFile& file, at::ScalarType type, double disturbance) {
  const net::NetworkConfig config = config_of("nano", "exact");
  const ParameterStore store = filled_store(config, type);
  train::AdamW optimizer({});
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) optimizer.add(spec.name, store.at(spec.name), 0.01);
  }
  at::Tensor image = filled_input(image_shape, type);
  image = image * (1 + disturbance * at::arange(image.numel(), type).sin().reshape(image_shape));
  const at::Tensor labels = golden_labels();
  StepsRun out;
  for (int step = 0; step < 10; ++step) {
    const auto result = torch_backend::run_network(config, store, {.training = true}, image);
    const train::Loss loss = train::segmentation_loss(result.logits, labels, {});
    for (const at::Tensor& part : {loss.total, loss.parts[0], loss.parts[1]}) {
      out.losses.push_back(part.item().toDouble());
    }
    loss.total.backward();
    optimizer.step(1e-3);
    optimizer.zero_gradients();
  }
  for (const weights::TensorInfo& info : file.tensors()) {
    if (info.name.starts_with("after.")) {
      out.after.push_back(test::elements(store.at(info.name.substr(6))));
    }
  }
  return out;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(a[i] - b[i]));
  return out;
}

class StepsGolden : public ::testing::TestWithParam<at::ScalarType> {};

// AdamW divides by the size of a gradient, so rounding in near-zero gradients grows about tenfold a
// step: the reference program itself, on another processor, misses the file's tenth loss by 3e-5 in
// float64. The first losses (four in float64,
// two in float32) therefore hold the file's tolerance as it is; what follows may be off
// by ten times what a disturbance of a few units in the last place of the input does to this very
// run (docs/decisions.md). The optimiser alone is held to LibTorch's to 1e-12 in
// tests/op/optimizer_test.cpp.
TEST_P(StepsGolden, TenAdamWStepsOnOneBatch) {
  MEDURWKV_GOLDEN_OR_SKIP(file, "medurwkv_nano_steps");
  const at::ScalarType type = GetParam();
  const double tolerance = test::golden_facts("medurwkv_nano_steps")
                               .at("tolerance")
                               .at(type == at::kFloat ? "float32" : "float64")
                               .get<double>();
  const double unit = type == at::kFloat ? 0x1p-22 : 0x1p-50;
  const StepsRun run = run_steps(file, type, 0);
  const std::vector<StepsRun> disturbed{run_steps(file, type, unit), run_steps(file, type, -unit)};

  const std::vector<double> losses = file.values("losses");
  const std::ptrdiff_t exact_losses = 3 * (type == at::kFloat ? 2 : 4);
  EXPECT_TRUE(test::is_close({run.losses.begin(), run.losses.begin() + exact_losses},
                             {losses.begin(), losses.begin() + exact_losses}, tolerance));
  int telling = 0;  // steps whose bound still says something
  for (std::size_t i = 0; i < losses.size(); ++i) {
    double allowed = tolerance * test::largest(losses);
    for (const StepsRun& other : disturbed) {
      allowed += 10 * std::abs(other.losses[i] - run.losses[i]);
    }
    EXPECT_NEAR(run.losses[i], losses[i], allowed) << "step " << i / 3 + 1;
    telling += i % 3 == 0 && allowed < 0.05 ? 1 : 0;
  }
  EXPECT_GE(telling, type == at::kFloat ? 2 : 9);
  std::size_t index = 0;
  for (const weights::TensorInfo& info : file.tensors()) {
    if (!info.name.starts_with("after.")) continue;
    const std::vector<double> expected = file.values(info.name);
    double off = tolerance * test::largest(expected);
    for (const StepsRun& other : disturbed)
      off += 10 * distance(other.after[index], run.after[index]);
    EXPECT_TRUE(test::is_close(run.after[index], expected, off, 1)) << info.name;
    ++index;
  }
  EXPECT_EQ(index, 5U);
}

INSTANTIATE_TEST_SUITE_P(Types, StepsGolden, ::testing::Values(at::kFloat, at::kDouble));

/// Presets by the fill rule, every 37th element of each stage.
struct Sampled {
  std::string preset;
  std::int64_t classes = 2;
  Shape image;
};

class SampledGolden : public ::testing::TestWithParam<Sampled> {};

TEST_P(SampledGolden, WholeNetworkInBothModes) {
  const auto& [preset, classes, shape] = GetParam();
  const std::string name =
      "medurwkv_" + preset + "_" + std::to_string(shape[2]) + "x" + std::to_string(shape[3]);
  MEDURWKV_GOLDEN_OR_SKIP(file, name);
  const double tolerance = test::golden_facts(name).at("tolerance").at("float32").get<double>();
  for (const std::string& mode : {std::string("exact"), std::string("vr32")}) {
    net::NetworkConfig config = config_of(preset, mode);
    config.classes = classes;
    const ParameterStore store = filled_store(config, at::kFloat);
    const at::NoGradGuard no_grad;
    const auto out = torch_backend::run_network(config, store, {}, filled_input(shape, at::kFloat));
    const auto check = [&](const std::string& stage, const at::Tensor& actual) {
      const std::vector<double> all = test::elements(actual);
      std::vector<double> every37;
      for (std::size_t i = 0; i < all.size(); i += 37) every37.push_back(all[i]);
      const std::vector<double> stats = file.values("stats." + stage + "." + mode);
      const double scale = std::max(std::abs(stats[2]), std::abs(stats[3]));
      EXPECT_TRUE(
          test::is_close(every37, file.values("sample." + stage + "." + mode), tolerance, scale))
          << stage << " " << mode;
    };
    for (std::size_t i = 0; i < 4; ++i) check("f" + std::to_string(i + 1), out.features[i]);
    check("bottleneck", *out.bottleneck);
    for (std::size_t i = 0; i < 3; ++i) check("decoder." + std::to_string(i), out.decoder[i]);
    check("logits", out.logits);
    // Pixels whose two best classes nearly tie may fall to either.
    const std::vector<double> mask = test::elements(out.logits.argmax(1));
    const std::vector<double> expected = file.values("mask." + mode);
    std::size_t different = 0;
    for (std::size_t i = 0; i < mask.size(); ++i) different += mask[i] != expected[i] ? 1 : 0;
    EXPECT_LE(different, mask.size() / 5000) << mode;
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, SampledGolden,
                         ::testing::Values(Sampled{"tiny", 3, {1, 3, 96, 160}},
                                           Sampled{"tiny", 2, {1, 3, 256, 256}},
                                           Sampled{"small", 2, {1, 3, 128, 128}}),
                         [](const auto& tested) {
                           return tested.param.preset + std::to_string(tested.param.image[3]);
                         });

}  // namespace
}  // namespace medurwkv
