// `train` on volumes with a window that follows from their values and in a plane that is not the
// file's: the model has both, and its labels lie where they should. Needs LibTorch.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/volumes/volume.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/volume_files.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::operator+;
using test::NiftiBytes;
using test::Outcome;
using test::run_program;

/// Of the files: columns to the right, rows to the front, slices to the head.
constexpr std::int64_t rights = 32, fronts = 4, heads = 32;

/// A ball's slice in each coronal plane, lower the farther it is to the front.
bool inside(std::int64_t right, std::int64_t front, std::int64_t head, int volume) {
  const std::int64_t x = right - 12 - volume;
  const std::int64_t z = head - 20 + 2 * front;
  return x * x + z * z < 50;
}

class TrainedVolumes : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 4; ++i) {
      std::vector<std::int16_t> values;
      std::vector<std::uint8_t> labels;
      for (std::int64_t head = 0; head < heads; ++head) {
        for (std::int64_t front = 0; front < fronts; ++front) {
          for (std::int64_t right = 0; right < rights; ++right) {
            const bool in = inside(right, front, head, i);
            // Each volume on a scale of its own, as of MR.
            const std::int64_t shade = (in ? 700 : 200) + (right * head) % 60;
            values.push_back(static_cast<std::int16_t>(shade * (i + 1)));
            labels.push_back(in ? 1 : 0);
          }
        }
      }
      const auto file = NiftiBytes()
                            .sides({rights, fronts, heads})
                            .sform({{{1, 0, 0, 0}, {0, 2, 0, 0}, {0, 0, 1, 0}}});
      const std::string name = concat("p", i, ".nii");
      write("set/images/" + name, NiftiBytes(file).type(4, 16).with(values));
      write("set/labels/" + name, NiftiBytes(file).type(2, 8).with(labels));
    }
    const Outcome split =
        run_program({"data", "split", path("set"), "--plane", "coronal", "--ratios", "0.5", "0.25",
                     "0.25", "--out", path("split.json")});
    ASSERT_EQ(split.code, 0) << split.err;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary).write(bytes.data(), std::ssize(bytes));
  }
  Outcome train(const test::Words& settings, const std::string& out) {
    test::Words words{"train",
                      "--data",
                      path("set"),
                      "--split",
                      path("split.json"),
                      "--preset",
                      "nano",
                      "--size",
                      "32",
                      "--batch",
                      "4",
                      "--epochs",
                      "40",
                      "--threads",
                      "1",
                      "--out",
                      path(out),
                      "--quiet",
                      "--set",
                      "input.augment=none",
                      "--set",
                      "optimizer.rate=0.002",
                      "--set",
                      "network.channels=1"};
    for (const std::string& one : settings) words = words + test::Words{"--set", one};
    return run_program(words);
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(TrainedVolumes, LabelsLieWhereTheyShould) {
  const Outcome trained = train({"input.plane=coronal", "input.window=zscore"}, "run");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Outcome inspected = run_program({"inspect", path("run/best.model"), "--json"});
  const json input = json::parse(inspected.out).at("about").at("input");
  EXPECT_EQ(input.at("plane"), "coronal");
  EXPECT_EQ(input.at("own_window"),
            (json{{"by", "deviation"}, {"low", -3}, {"high", 3}, {"over", "volume"}}));
  const Outcome predicted =
      run_program({"predict", path("run/best.model"), path("set/images"), "--out", path("out")});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  for (int i = 0; i < 4; ++i) {
    const data::Volume labels = data::read_volume(path(concat("out/p", i, ".nii")));
    ASSERT_EQ(labels.sides(), (std::array<std::int64_t, 3>{rights, fronts, heads}));
    std::int64_t both = 0;
    std::int64_t either = 0;
    for (std::int64_t head = 0; head < heads; ++head) {
      const data::Image slice = data::read_slice(labels, head);
      for (std::int64_t front = 0; front < fronts; ++front) {
        for (std::int64_t right = 0; right < rights; ++right) {
          const bool found = slice.bytes[static_cast<std::size_t>(front * rights + right)] == 1;
          const bool truth = inside(right, front, head, i);
          both += found && truth ? 2 : 0;
          either += (found ? 1 : 0) + (truth ? 1 : 0);
        }
      }
    }
    EXPECT_GT(static_cast<double>(both) / static_cast<double>(either), 0.5) << i;
  }
  const auto judged = [&](const test::Words& how, const std::string& out) {
    const Outcome outcome = run_program(
        test::Words{"evaluate"} + how +
        test::Words{"--data", path("set"), "--split", path("split.json"), "--out", path(out)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(path(out + "/cases.csv"));
  };
  EXPECT_EQ(judged({path("run/best.model")}, "by model"),
            judged({"--predictions", path("out")}, "by files"));
}

TEST_F(TrainedVolumes, AnotherPlaneThanTheSplitsIsRefused) {
  const Outcome refused = train({"input.window=percentile"}, "run");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(contains(refused.err, "--set input.plane=coronal")) << refused.err;
}

TEST_F(TrainedVolumes, AWindowThatShowsNothingIsRefused) {
  const Outcome refused = train({"input.plane=coronal", "input.window=brain"}, "run");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(contains(refused.err, "the window 0 to 80 shows nothing")) << refused.err;
  const Outcome both =
      train({"input.plane=coronal", "input.window=soft", "input.window_high=9"}, "run");
  EXPECT_EQ(both.code, 2) << both.err;
  EXPECT_TRUE(contains(both.err, "two windows")) << both.err;
}

}  // namespace
}  // namespace medurwkv
