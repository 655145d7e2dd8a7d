// `features` against the golden files: what a user who compares us with the original would see.
#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <string>
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
    for (const std::string mode : {"exact", "released32"}) {
      const Outcome outcome =
          run(path("weights.safetensors"), {"--wkv", mode, "--dtype", "float64"});
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
        EXPECT_TRUE(test::is_close(output(one).doubles(), golden.values(key), 3e-7)) << name << key;
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
    for (const auto& [mode, suffix] : modes) {
      const Outcome outcome =
          run(path("weights.safetensors"), {"--wkv", mode, "--dtype", "float64"});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
      for (const std::string one : {"f1", "f2", "f3", "f4", "logits"}) {
        EXPECT_TRUE(
            test::is_close(output(one).doubles(), golden.values(one + ".eval." + suffix), 1e-6))
            << preset << one << mode;
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
