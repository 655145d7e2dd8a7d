// `features` against the golden files: what a user who compares us with the original would see.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/npy.h"
#include "net/presets.h"
#include "support/golden.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/weight_files.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

using test::contains;
using test::Outcome;
using test::WeightFile;
using test::operator+;

class Features : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] std::string input(const Shape& shape, const std::vector<double>& values) const {
    const std::vector<float> floats(values.begin(), values.end());
    write_npy(path("input.npy"), NpyType::f32, shape, as_text(std::span<const float>(floats)));
    return path("input.npy");
  }
  [[nodiscard]] std::string filled_input(const Shape& shape) const {
    return input(shape, test::fill_values("input", shape));
  }
  /// Runs the command; what was written under each name.
  Outcome run(const std::string& weights, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"features", weights, path("input.npy"), "--force", "--out", path("out")});
    return test::run_program(more);
  }
  [[nodiscard]] NpyArray output(const std::string& name) const {
    return NpyArray::read(path("out/" + name + ".npy"));
  }
  [[nodiscard]] bool written(const std::string& name) const {
    return std::filesystem::exists(path("out/" + name + ".npy"));
  }

 private:
  test::TemporaryFolder folder_;
};

/// The parameters ("p.") of a golden file, as a file of their own.
void extract(const weights::TensorFile& golden, const std::string& to) {
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : golden.tensors()) {
    if (!one.name.starts_with("p.")) continue;
    tensors.push_back({one.name.substr(2), one.type, one.shape, golden.data(one)});
  }
  weights::write_tensor_file(to, tensors, {});
}

TEST_F(Features, OfStoredNetworksAreTheGoldenOnes) {
  for (const std::string name : {"adapter_nano", "classifier_nano"}) {
    MEDURWKV_GOLDEN_OR_SKIP(golden, name);
    const bool adapter = name == "adapter_nano";
    extract(golden, path("weights.safetensors"));
    static_cast<void>(input(golden.info("x.input").shape, golden.values("x.input")));
    const auto& tolerance = test::golden_facts(name).at("tolerance").at("float32");
    const std::vector<std::tuple<std::string, std::string, double>> runs{
        {"exact", "float64", 3e-7},
        {"released32", "float64", 3e-7},
        {"exact", "float32", tolerance.at(adapter ? "y_eval" : "y").get<double>()},
        {"released32", "float32", tolerance.at(adapter ? "y_eval" : "y").get<double>()}};
    for (const auto& [mode, dtype, allowed] : runs) {
      const Outcome outcome = run(path("weights.safetensors"), {"--wkv", mode, "--dtype", dtype});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      const std::vector<std::string> outputs =
          adapter ? std::vector<std::string>{"f1", "f2", "f3", "f4"}
                  : std::vector<std::string>{"logits"};
      for (const std::string& one : outputs) {
        const std::string key = (mode == "released32" ? "y_vr32."
                                 : adapter            ? "y_eval."
                                                      : "y.") +
                                one;
        EXPECT_EQ(output(one).shape(), golden.info(key).shape);
        EXPECT_TRUE(test::is_close(output(one).doubles(), golden.values(key), allowed))
            << name << key << dtype;
      }
      EXPECT_EQ(written("logits"), !adapter);
      std::filesystem::remove_all(path("out"));
    }
  }
}

TEST_F(Features, OfTheWholeNetworkAreTheGoldenOnes) {
  for (const std::string preset : {"nano", "nanopost"}) {
    MEDURWKV_GOLDEN_OR_SKIP(golden, "medurwkv_" + preset);
    WeightFile().add(net::preset(preset, 3), "module.").write(path("weights.safetensors"));
    static_cast<void>(filled_input({2, 3, 64, 96}));
    const std::vector<std::pair<std::string, std::string>> modes{{"exact", "exact"},
                                                                 {"released32", "vr32"}};
    const double float32 = test::golden_facts("medurwkv_" + preset)
                               .at("tolerance")
                               .at("float32")
                               .at("eval")
                               .get<double>();
    for (const auto& [mode, suffix] : modes) {
      for (const auto& [dtype, allowed] :
           {std::pair<std::string, double>{"float64", 1e-6}, {"float32", float32}}) {
        const Outcome outcome = run(path("weights.safetensors"), {"--wkv", mode, "--dtype", dtype});
        ASSERT_EQ(outcome.code, 0) << outcome.err;
        for (const std::string one : {"f1", "f2", "f3", "f4", "logits"}) {
          EXPECT_TRUE(test::is_close(output(one).doubles(), golden.values(one + ".eval." + suffix),
                                     allowed))
              << preset << one << mode << dtype;
        }
      }
    }
  }
}

// The published sizes in float32, pre-norm and, told by the sizes alone, post-norm.
TEST_F(Features, OfFullSizePresetsAreTheGoldenOnes) {
  for (const std::string name : {"adapter_tiny_224x320", "classifier_small_224x224"}) {
    MEDURWKV_GOLDEN_OR_SKIP(golden, name);
    const bool adapter = name.starts_with("adapter");
    const auto& facts = test::golden_facts(name);
    WeightFile()
        .add(adapter ? net::encoder_preset("tiny") : net::classifier_preset("small"))
        .write(path("weights.safetensors"));
    static_cast<void>(filled_input(facts.at("input_shape").get<Shape>()));
    const Outcome outcome = run(path("weights.safetensors"), {});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const double tolerance = facts.at("tolerance").at("float32").get<double>();
    if (!adapter) {
      EXPECT_TRUE(
          test::is_close(output("logits").doubles(), golden.values("logits_vr32"), tolerance));
      continue;
    }
    for (const std::string one : {"f1", "f2", "f3", "f4"}) {
      const std::vector<double> all = output(one).doubles();
      std::vector<double> every37;
      for (std::size_t i = 0; i < all.size(); i += 37) every37.push_back(all[i]);
      EXPECT_TRUE(test::is_close(every37, golden.values("sample_vr32." + one), tolerance,
                                 facts.at("stats").at(one + "_vr32").at("max").get<double>()))
          << one;
    }
  }
}

// The same network twice: the place of its norms once by --set, once by convert's metadata.
TEST_F(Features, TakeThePlaceOfTheNormsFromTheUserOrTheFile) {
  net::NetworkConfig plain = net::encoder_preset("nano");
  plain.encoder.groups = {2, 2, 2, 2};  // no preset's
  WeightFile().add(plain).write(path("plain.safetensors"));
  static_cast<void>(filled_input({1, 3, 64, 64}));
  const auto f4 = [&](const std::string& weights, const std::vector<std::string>& more) {
    const Outcome outcome = run(path(weights), more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return std::pair(output("f4").doubles(), contains(outcome.err, "cannot be seen"));
  };
  const auto pre = f4("plain.safetensors", {});
  const auto post = f4("plain.safetensors", {"--set", "encoder.post_norm=true"});
  EXPECT_NE(pre.first, post.first);
  EXPECT_TRUE(pre.second) << "a guess is told";
  EXPECT_FALSE(post.second);
  ASSERT_EQ(test::run_program({"convert", path("plain.safetensors"), path("post.safetensors"),
                               "--set", "encoder.post_norm=true"})
                .code,
            0);
  const auto stated = f4("post.safetensors", {});
  EXPECT_EQ(stated.first, post.first);
  EXPECT_FALSE(stated.second);
}

TEST_F(Features, PadSidesThatAreNoMultiplesOf32) {
  WeightFile().add(net::preset("nano", 2)).write(path("weights.safetensors"));
  static_cast<void>(filled_input({2, 3, 40, 33}));
  const Outcome outcome = run(path("weights.safetensors"), {});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(output("logits").shape(), (Shape{2, 2, 40, 33}));
  EXPECT_EQ(output("f4").shape(), (Shape{2, 24, 2, 2}));
}

/// The largest difference over the largest number.
double difference(const NpyArray& one, const NpyArray& other) {
  const std::vector<double> a = one.doubles();
  const std::vector<double> b = other.doubles();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most / test::largest(b);
}

// The training library is not there to be opened. Of several images, an odd size, a trained model.
TEST_F(Features, NeedNoLibTorch) {
  const std::string model = (test::source_folder() / "tests/cli/data/version1.model").string();
  static_cast<void>(filled_input({2, 3, 40, 70}));
  const test::Start bare{.environment = {{"MEDURWKV_TRAINING_LIBRARY", path("none.so")}},
                         .folder = {}};
  const test::Words words{"features", model, path("input.npy"), "--force", "--out"};
  const Outcome native = test::run_program(words + test::Words{path("native")}, bare);
  ASSERT_EQ(native.code, 0) << native.err;
  const Outcome refused =
      test::run_program(words + test::Words{path("x"), "--engine", "torch"}, bare);
  EXPECT_EQ(refused.code, 1) << refused.err;
  const Outcome contradiction = test::run_program(
      words + test::Words{path("x"), "--engine", "native", "--dtype", "float64"}, bare);
  EXPECT_EQ(contradiction.code, 2) << contradiction.err;
  EXPECT_TRUE(contains(contradiction.err, "--engine native computes in float32"))
      << contradiction.err;
  const Outcome torch = test::run_program(
      words + test::Words{path("torch"), "--engine", "torch", "--dtype", "float64"});
  ASSERT_EQ(torch.code, 0) << torch.err;
  for (const std::string name : {"f1", "f2", "f3", "f4", "logits"}) {
    const NpyArray ours = NpyArray::read(path("native/" + name + ".npy"));
    const NpyArray theirs = NpyArray::read(path("torch/" + name + ".npy"));
    ASSERT_EQ(ours.shape(), theirs.shape()) << name;
    EXPECT_EQ(ours.shape()[0], 2) << name;
    EXPECT_LT(difference(ours, theirs), 2e-5) << name;
  }
}

// A ReLU takes a NaN for 0, so that it would not show in the maps.
TEST_F(Features, RefuseWeightsThatAreNoNumbers) {
  const std::string name = "spm.stem.0.weight";
  std::vector<double> values = test::fill_values(name, {8, 3, 3, 3});
  values[5] = std::numeric_limits<double>::quiet_NaN();
  WeightFile()
      .add(net::encoder_preset("nano"))
      .remove(name)
      .add(name, {8, 3, 3, 3}, values)
      .write(path("weights.safetensors"));
  static_cast<void>(filled_input({1, 3, 32, 32}));
  for (const std::string engine : {"native", "torch"}) {
    const Outcome outcome = run(path("weights.safetensors"), {"--engine", engine});
    EXPECT_EQ(outcome.code, 1) << engine;
    EXPECT_TRUE(contains(outcome.err, name) && contains(outcome.err, "NaN or infinite"))
        << engine << ": " << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path("out"))) << engine;
  }
}

TEST_F(Features, RefuseWhatCannotBeRun) {
  WeightFile().add(net::encoder_preset("nano")).write(path("adapter.safetensors"));
  WeightFile()
      .add(net::classifier_preset("nano"),
           [](const std::string& name) { return name.starts_with("head.") ? std::string() : name; })
      .write(path("trunk.safetensors"));
  WeightFile().add("a", {1}, {1}).write(path("foreign.safetensors"));
  static_cast<void>(filled_input({1, 3, 32, 32}));
  const std::vector<std::pair<std::vector<std::string>, std::string>> refused{
      {{"trunk.safetensors"}, "without adapter or head"},
      {{"foreign.safetensors"}, "holds no network"},
      {{"adapter.safetensors", "--preset", "tiny"}, "the network has"},
      {{"adapter.safetensors", "--preset", "tinny"}, "did you mean tiny?"},
      {{"adapter.safetensors", "--set", "encoder.key_norm=true"}, "key_norm.weight is not in it"},
      {{"nowhere.pth", "--set", "run.epochs=3"}, "settings of encoder alone"},
      {{"adapter.safetensors", "--set", "encoder.post_norm=maybe"}, "encoder.post_norm"},
      {{"nowhere.pth", "--dtype", "float16"}, "float32"},
      {{"nowhere.pth", "--wkv", "released"}, "released32"}};
  for (const auto& [words, message] : refused) {
    const Outcome outcome =
        run(path(words.front()), std::vector<std::string>(words.begin() + 1, words.end()));
    EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << message;
    EXPECT_TRUE(contains(outcome.err, message)) << message << "\n" << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path("out"))) << message;
  }
  for (const auto& [shape, message] : std::vector<std::pair<Shape, std::string>>{
           {{1, 1, 32, 32}, "expected N x 3"}, {{3, 32, 32}, "expected N x 3"}}) {
    static_cast<void>(filled_input(shape));
    const Outcome outcome = run(path("adapter.safetensors"), {});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_TRUE(contains(outcome.err, "input.npy") && contains(outcome.err, message))
        << outcome.err;
  }
}

}  // namespace
}  // namespace medurwkv
