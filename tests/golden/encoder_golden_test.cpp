// Adapter encoders and classifiers, under their published names, against the golden files: the
// small ones in float64 and in float32 on every instruction set, the presets in float32 on the
// chosen one.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/arithmetic.h"
#include "support/golden.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"

namespace medurwkv {
namespace {

using torch_backend::ParameterStore;

/// Network outputs by the names that the golden files use.
std::vector<std::pair<std::string, at::Tensor>> named(const net::NetworkOutput<at::Tensor>& out) {
  if (out.features.empty()) return {{"logits", out.logits}};
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (std::size_t i = 0; i < out.features.size(); ++i) {
    list.emplace_back("f" + std::to_string(i + 1), out.features[i]);
  }
  return list;
}

struct Stored {
  std::string file;
  bool training = false;
  test::Arithmetic arithmetic;
};

void PrintTo(const Stored& one, std::ostream* out) {
  *out << one.file << (one.training ? ", training, " : ", ") << one.arithmetic.name();
}

net::NetworkConfig config_of(const std::string& file) {
  const std::size_t bar = file.find('_');
  const std::string kind = file.substr(0, bar);
  const std::string preset = file.substr(bar + 1, file.find('_', bar + 1) - bar - 1);
  return kind == "adapter" ? net::encoder_preset(preset)
                           : net::classifier_preset(preset, preset == "nano" ? 10 : 1000);
}

double tolerance_of(const Stored& stored, const std::string& what) {
  const auto& facts = test::golden_facts(stored.file).at("tolerance");
  if (!stored.arithmetic.single()) return facts.at("float64").get<double>();
  return facts.at("float32").at(what).get<double>();
}

class StoredGolden : public ::testing::TestWithParam<Stored> {};

TEST_P(StoredGolden, OutputsAndEveryGradient) {
  const Stored& stored = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, stored.file);
  const test::Forced forced(stored.arithmetic);
  const net::NetworkConfig config = config_of(stored.file);
  ParameterStore store(plan::parameters_of(config), 0, stored.arithmetic.type,
                       stored.arithmetic.device);
  torch_backend::read_into(weights::WeightsSource(file), store.destinations(file, "p."));
  at::Tensor image =
      test::golden_tensor(file, "x.input", stored.arithmetic.options()).requires_grad_(true);
  const auto out = torch_backend::run_network(config, store, {.training = stored.training}, image);

  // Only the adapters distinguish evaluation and training.
  const bool adapter = config.architecture == net::Architecture::encoder;
  const std::string suffix = !adapter ? "" : stored.training ? "_train" : "_eval";
  at::Tensor sum = at::zeros({}, stored.arithmetic.options());
  for (const auto& [name, actual] : named(out)) {
    EXPECT_TRUE(test::is_close(test::elements(actual), file.values("y" + suffix + "." + name),
                               tolerance_of(stored, "y" + suffix)))
        << name;
    sum =
        sum + (actual * test::golden_tensor(file, "gy." + name, stored.arithmetic.options())).sum();
  }
  sum.backward();
  EXPECT_TRUE(test::is_close(test::elements(image.grad()), file.values("gx" + suffix + ".input"),
                             tolerance_of(stored, "gx" + suffix)));

  const auto& facts = test::golden_facts(stored.file);
  std::vector<std::string> zero;
  if (stored.training && facts.contains("zero_gradients")) zero = facts.at("zero_gradients");
  double largest = 0;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) {
      largest = std::max(largest, test::largest(file.values("gp" + suffix + "." + spec.name)));
    }
  }
  for (const net::ParameterSpec& spec : store.specs()) {
    if (spec.buffer) continue;
    const std::vector<double> expected = file.values("gp" + suffix + "." + spec.name);
    const bool is_zero = std::find(zero.begin(), zero.end(), spec.name) != zero.end();
    EXPECT_TRUE(test::is_close(test::elements(store.at(spec.name).grad()), expected,
                               tolerance_of(stored, "gp" + suffix), is_zero ? largest : -1))
        << spec.name;
  }
  if (!stored.training) return;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!spec.buffer) continue;
    EXPECT_TRUE(test::is_close(test::elements(store.at(spec.name)), file.values("b." + spec.name),
                               tolerance_of(stored, "y_train")))
        << spec.name;
  }
}

class Released32Golden : public StoredGolden {};

TEST_P(Released32Golden, Outputs) {
  const Stored& stored = GetParam();
  MEDURWKV_GOLDEN_OR_SKIP(file, stored.file);
  const test::Forced forced(stored.arithmetic);
  net::NetworkConfig config = config_of(stored.file);
  config.wkv = net::WkvMode::released32;
  ParameterStore store(plan::parameters_of(config), 0, stored.arithmetic.type,
                       stored.arithmetic.device);
  torch_backend::read_into(weights::WeightsSource(file), store.destinations(file, "p."));
  const at::NoGradGuard no_grad;
  const auto out = torch_backend::run_network(
      config, store, {}, test::golden_tensor(file, "x.input", stored.arithmetic.options()));
  const std::string what = config.architecture == net::Architecture::encoder ? "y_eval" : "y";
  for (const auto& [name, actual] : named(out)) {
    EXPECT_TRUE(test::is_close(test::elements(actual), file.values("y_vr32." + name),
                               tolerance_of(stored, what)))
        << name;
  }
}

std::vector<Stored> everywhere(const std::vector<std::pair<std::string, bool>>& files) {
  std::vector<Stored> out;
  for (const auto& [file, training] : files) {
    for (const test::Arithmetic& arithmetic : test::every_arithmetic()) {
      out.push_back({file, training, arithmetic});
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Nano, StoredGolden,
                         ::testing::ValuesIn(everywhere({{"adapter_nano", false},
                                                         {"adapter_nano", true},
                                                         {"adapter_nanopost", false},
                                                         {"adapter_nanopost", true},
                                                         {"classifier_nano", false}})),
                         [](const auto& tested) {
                           return tested.param.file +
                                  (tested.param.training ? "_train_" : "_eval_") +
                                  tested.param.arithmetic.name();
                         });

INSTANTIATE_TEST_SUITE_P(Nano, Released32Golden,
                         ::testing::ValuesIn(everywhere({{"adapter_nano", false},
                                                         {"adapter_nanopost", false},
                                                         {"classifier_nano", false}})),
                         [](const auto& tested) {
                           return tested.param.file + "_" + tested.param.arithmetic.name();
                         });

class FilledGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(FilledGolden, OutputsInBothModes) {
  MEDURWKV_GOLDEN_OR_SKIP(file, GetParam());
  const auto& facts = test::golden_facts(GetParam());
  const double tolerance = facts.at("tolerance").at("float32").get<double>();
  const Shape shape = facts.at("input_shape").get<Shape>();
  for (const bool released : {false, true}) {
    net::NetworkConfig config = config_of(GetParam());
    config.wkv = released ? net::WkvMode::released32 : net::WkvMode::exact;
    const std::string mode = released ? "_vr32" : "";
    ParameterStore store(plan::parameters_of(config), 0, at::kFloat, at::kCPU);
    test::fill(store);
    const at::NoGradGuard no_grad;
    const auto out = torch_backend::run_network(
        config, store, {}, test::tensor_of(test::fill_values("input", shape), shape, at::kFloat));
    for (const auto& [name, actual] : named(out)) {
      const std::vector<double> all = test::elements(actual);
      if (name == "logits") {
        EXPECT_TRUE(test::is_close(all, file.values("logits" + mode), tolerance)) << mode;
        continue;
      }
      std::vector<double> every37;
      for (std::size_t i = 0; i < all.size(); i += 37) every37.push_back(all[i]);
      const double scale = facts.at("stats").at(name + mode).at("max").get<double>();
      EXPECT_TRUE(
          test::is_close(every37, file.values("sample" + mode + "." + name), tolerance, scale))
          << name << mode;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, FilledGolden,
                         ::testing::Values("adapter_tiny_256x256", "adapter_tiny_224x320",
                                           "adapter_small_224x224", "adapter_base_64x96",
                                           "adapter_large_64x64", "classifier_tiny_224x224",
                                           "classifier_tiny_320x256", "classifier_small_224x224",
                                           "classifier_base_224x224"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace medurwkv
