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

/// Of the probabilities that two runs wrote for the same images.
struct Differences {
  double most = 0;
  double mean = 0;
  int files = 0;
};

Differences differences_of(const fs::path& one, const fs::path& other) {
  Differences out;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(one)) {
    if (entry.path().extension() != ".npy") continue;
    ++out.files;
    const std::vector<double> a = NpyArray::read(entry.path()).doubles();
    const std::vector<double> b = NpyArray::read(other / entry.path().filename()).doubles();
    EXPECT_EQ(a.size(), b.size()) << entry.path();
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      const double off = std::abs(a[i] - b[i]);
      out.most = std::max(out.most, off);
      out.mean += off;
    }
    count += a.size();
  }
  out.mean /= static_cast<double>(std::max<std::size_t>(1, count));
  return out;
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
  const Differences found = differences_of(path("native"), path("torch"));
  EXPECT_LT(found.most, 1e-4);
  EXPECT_EQ(found.files, 4);
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
  const Differences found = differences_of(path("plain"), path("narrow"));
  EXPECT_LT(found.most, 0.05);
  EXPECT_GT(found.most, 0);
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

  fs::create_directory(path("empty"));
  const Outcome empty =
      run_program({"quantize", model(), path("empty"), "--out", path("int8.model")});
  EXPECT_EQ(empty.code, 1) << empty.err;
  EXPECT_TRUE(contains(empty.err, "no image")) << empty.err;
  EXPECT_FALSE(fs::exists(path("int8.model")));

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
  const Differences found = differences_of(path("plain"), path("narrow"));
  EXPECT_LT(found.mean, 0.02);
  EXPECT_GT(found.most, 0);
  const json manifest = json::parse(read_file(path("narrow/manifest.json")));
  EXPECT_TRUE(contains(manifest.dump(), "int8")) << manifest.dump();
  // The same weights: in float32 nothing changes.
  predict = predicting("float32");
  predict[1] = path("int8.model");
  ASSERT_EQ(run_program(predict).code, 0);
  EXPECT_EQ(differences_of(path("plain"), path("float32")).most, 0);
}

TEST_F(Engines, QuantizeRefusesWhatItCannotDo) {
  const Outcome lacking =
      run_program({"quantize", model(), path("data/images"), "--out", path("int8.model")},
                  {.environment = {{"MEDURWKV_ISA", "sse"}}});
  EXPECT_EQ(lacking.code, 2) << lacking.err;
  EXPECT_TRUE(contains(lacking.err, "avx512_vnni")) << lacking.err;
  const Outcome suffix =
      run_program({"quantize", model(), path("data/images"), "--out", path("int8.pth")});
  EXPECT_EQ(suffix.code, 2) << suffix.err;
  EXPECT_TRUE(contains(suffix.err, "ends in .model")) << suffix.err;
  EXPECT_FALSE(fs::exists(path("int8.model")) || fs::exists(path("int8.pth")));
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
