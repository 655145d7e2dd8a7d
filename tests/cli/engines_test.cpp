// `predict` and `evaluate` by the native engine and by LibTorch: the same masks and, within
// rounding, the same probabilities; the native engine without LibTorch; what it refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/npy.h"
#include "support/demo.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;
using test::operator+;

std::string model() {
  return (test::source_folder() / "tests/cli/data/version1.model").string();
}

class Engines : public ::testing::Test {
 protected:
  void SetUp() override { test::copy_pairs(folder_.path() / "data", 4); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] Words predicting(const std::string& out) const {
    return {"predict", model(), path("data/images"), "--out", path(out), "--probabilities", "npy"};
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(Engines, GiveTheSameProbabilities) {
  const Outcome native = run_program(predicting("native") + Words{"--engine", "native"});
  ASSERT_EQ(native.code, 0) << native.err;
  const Outcome torch = run_program(predicting("torch") + Words{"--engine", "torch"});
  ASSERT_EQ(torch.code, 0) << torch.err;
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(path("native"))) {
    if (entry.path().extension() != ".npy") continue;
    ++compared;
    const std::vector<double> ours = NpyArray::read(entry.path()).doubles();
    const std::vector<double> theirs =
        NpyArray::read(fs::path(path("torch")) / entry.path().filename()).doubles();
    ASSERT_EQ(ours.size(), theirs.size());
    double most = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      most = std::max(most, std::abs(ours[i] - theirs[i]));
    }
    EXPECT_LT(most, 1e-4) << entry.path();
  }
  EXPECT_EQ(compared, 4);
}

// The training library is not there to be opened.
TEST_F(Engines, TheNativeOneNeedsNoLibTorch) {
  test::Start start{.environment = {{"MEDURWKV_TRAINING_LIBRARY", path("none.so")}}};
  const Outcome plain = run_program(predicting("plain"), start);
  EXPECT_EQ(plain.code, 0) << plain.err;
  const Outcome averaged = run_program(
      {"evaluate", model(), "--data", path("data"), "--tta", "--out", path("scores")}, start);
  EXPECT_EQ(averaged.code, 0) << averaged.err;
  const json summary = json::parse(read_file(path("scores/summary.json")));
  EXPECT_GT(summary.at("mean_dice").get<double>(), 0.2);
  const Outcome torch = run_program(predicting("torch") + Words{"--engine", "torch"}, start);
  EXPECT_EQ(torch.code, 1) << torch.err;
}

TEST_F(Engines, Bfloat16ChangesProbabilitiesLittle) {
  const Words narrow = predicting("narrow") + Words{"--precision", "bfloat16"};
  const Outcome outcome = run_program(narrow);
  if (outcome.code == 2 && contains(outcome.err, "this processor has neither")) {
    GTEST_SKIP() << outcome.err;
  }
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(run_program(predicting("plain")).code, 0);
  double most = 0;
  for (const auto& entry : fs::directory_iterator(path("plain"))) {
    if (entry.path().extension() != ".npy") continue;
    const std::vector<double> plain = NpyArray::read(entry.path()).doubles();
    const std::vector<double> rounded =
        NpyArray::read(fs::path(path("narrow")) / entry.path().filename()).doubles();
    ASSERT_EQ(plain.size(), rounded.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      most = std::max(most, std::abs(plain[i] - rounded[i]));
    }
  }
  EXPECT_LT(most, 0.05);
  EXPECT_GT(most, 0);
  const json manifest = json::parse(read_file(path("narrow/manifest.json")));
  EXPECT_TRUE(contains(manifest.dump(), "bfloat16")) << manifest.dump();
  const Outcome same = run_program(predicting("same") + Words{"--precision", "auto"});
  EXPECT_EQ(same.code, 0) << same.err;
}

TEST_F(Engines, Int8IsForModelsThatWerePrepared) {
  const Outcome bare = run_program(predicting("x") + Words{"--precision", "int8"});
  if (contains(bare.err, "this processor has neither")) GTEST_SKIP() << bare.err;
  EXPECT_EQ(bare.code, 2) << bare.err;
  EXPECT_TRUE(contains(bare.err, "medurwkv quantize")) << bare.err;

  const Words quantizing{"quantize", model(), path("data/images"), "--out", path("int8.model")};
  const Outcome made = run_program(quantizing + Words{"--images", "3", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const json answer = json::parse(made.out);
  EXPECT_EQ(answer.at("images"), 3);
  EXPECT_GE(answer.at("mean_dice").get<double>(), 0.99) << answer;
  EXPECT_GT(answer.at("products").get<int>(),
            2 * static_cast<int>(answer.at("kept_in_float32").size()));
  const Outcome again = run_program(quantizing);
  EXPECT_EQ(again.code, 2) << again.err;
  EXPECT_TRUE(contains(again.err, "--force")) << again.err;

  Words predict = predicting("narrow") + Words{"--precision", "int8"};
  predict[1] = path("int8.model");
  ASSERT_EQ(run_program(predict).code, 0);
  ASSERT_EQ(run_program(predicting("plain")).code, 0);
  double most = 0;
  double sum = 0;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(path("plain"))) {
    if (entry.path().extension() != ".npy") continue;
    const std::vector<double> plain = NpyArray::read(entry.path()).doubles();
    const std::vector<double> rounded =
        NpyArray::read(fs::path(path("narrow")) / entry.path().filename()).doubles();
    ASSERT_EQ(plain.size(), rounded.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const double off = std::abs(plain[i] - rounded[i]);
      most = std::max(most, off);
      sum += off;
    }
    count += plain.size();
  }
  EXPECT_LT(sum / static_cast<double>(count), 0.02);
  EXPECT_GT(most, 0);
  const json manifest = json::parse(read_file(path("narrow/manifest.json")));
  EXPECT_TRUE(contains(manifest.dump(), "int8")) << manifest.dump();
  // The same weights: in float32 nothing changes.
  predict = predicting("float32");
  predict[1] = path("int8.model");
  ASSERT_EQ(run_program(predict).code, 0);
  for (const auto& entry : fs::directory_iterator(path("plain"))) {
    if (entry.path().extension() != ".npy") continue;
    EXPECT_EQ(read_file(entry.path()),
              read_file(fs::path(path("float32")) / entry.path().filename()));
  }
}

TEST_F(Engines, QuantizeRefusesWhatItCannotDo) {
  const Outcome lacking =
      run_program({"quantize", model(), path("data/images"), "--out", path("int8.model")},
                  {.environment = {{"MEDURWKV_ISA", "sse"}}});
  EXPECT_EQ(lacking.code, 2) << lacking.err;
  EXPECT_TRUE(contains(lacking.err, "avx512_vnni")) << lacking.err;
  const Outcome suffix =
      run_program({"quantize", model(), path("data/images"), "--out", path("int8.pth")});
  if (contains(suffix.err, "this processor has neither")) GTEST_SKIP() << suffix.err;
  EXPECT_EQ(suffix.code, 2) << suffix.err;
  fs::create_directory(path("empty"));
  const Outcome empty =
      run_program({"quantize", model(), path("empty"), "--out", path("int8.model")});
  EXPECT_EQ(empty.code, 1) << empty.err;
  EXPECT_TRUE(contains(empty.err, "no image")) << empty.err;
  EXPECT_FALSE(fs::exists(path("int8.model")));
}

// The instruction set is one without bfloat16, whatever the processor.
TEST_F(Engines, APrecisionThatCannotBeIsRefused) {
  const Outcome lacking = run_program(predicting("x") + Words{"--precision", "bfloat16"},
                                      {.environment = {{"MEDURWKV_ISA", "sse"}}});
  EXPECT_EQ(lacking.code, 2) << lacking.err;
  EXPECT_TRUE(contains(lacking.err, "use float32, or auto")) << lacking.err;
  const Outcome torch =
      run_program(predicting("x") + Words{"--precision", "bfloat16", "--engine", "torch"});
  EXPECT_EQ(torch.code, 2) << torch.err;
}

TEST_F(Engines, AContradictionIsRefused) {
  const Outcome outcome =
      run_program(predicting("x") + Words{"--engine", "native", "--device", "cuda"});
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "--engine native runs on the CPU")) << outcome.err;
}

}  // namespace
}  // namespace medurwkv
