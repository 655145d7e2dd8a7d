// Images of other than one or three channels, as several files a case, through every command: what
// works, and the message where the numbers do not fit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

constexpr int cases = 10;

/// Where the masks of the sets are 1.
bool inside(std::int64_t x, std::int64_t y) {
  return x >= 10 && x < 30 && y >= 12 && y < 28;
}

/// nnU-Net's raw folder: gray files, `channels` a case, brighter where the mask is. The upper left
/// corner is 100 and the number of the channel.
void make_set(const fs::path& set, int channels) {
  const auto add = [](const fs::path& file, const data::Image& image) {
    fs::create_directories(file.parent_path());
    write_file(file, data::encode_png(image));
  };
  for (int i = 0; i < cases; ++i) {
    const bool labelled = i < cases - 2;
    const std::string part = labelled ? "imagesTr/x_" : "imagesTs/y_";
    for (int c = 0; c < channels; ++c) {
      const data::Image blobs =
          test::make_blobs(static_cast<std::uint64_t>(channels) * static_cast<std::uint64_t>(i) +
                               static_cast<std::uint64_t>(c),
                           40, 40, 1);
      add(set / (part + std::to_string(i) + "_000" + std::to_string(c) + ".png"),
          test::make_image(40, 40, 1, [&](auto x, auto y, auto) {
            const auto blob = static_cast<int>(std::lround(255 * blobs.value(x, y, 0)));
            return x < 10 && y < 10 ? 100 + c : inside(x, y) ? std::min(255, blob + 60) : blob;
          }));
    }
    if (!labelled) continue;
    add(set / ("labelsTr/x_" + std::to_string(i) + ".png"),
        test::make_image(40, 40, 1, [](auto x, auto y, auto) { return inside(x, y) ? 1 : 0; }));
  }
}

class ChannelFiles : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    make_set(set(), GetParam());
    const Outcome outcome =
        run_program({"data", "split", set().string(), "--out", path("split.json").string(),
                     "--ratios", "0.5", "0.25", "0.25"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_.path() / name; }
  [[nodiscard]] fs::path set() const { return path("set"); }
  [[nodiscard]] std::string setting(int channels = GetParam()) const {
    return "network.channels=" + std::to_string(channels);
  }
  [[nodiscard]] std::vector<std::string> training(const std::string& run,
                                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",
                                   "--data",
                                   set().string(),
                                   "--split",
                                   path("split.json").string(),
                                   "--size",
                                   "32",
                                   "--epochs",
                                   "1",
                                   "--preset",
                                   "nano",
                                   "--threads",
                                   "1",
                                   "--out",
                                   path(run).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  test::TemporaryFolder folder_;
};

TEST_P(ChannelFiles, TrainPreviewPredictAndEvaluate) {
  const Outcome trained = run_program(training("run", {"--set", setting()}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  // The picture shows the first channel, of two, or the first three as red, green and blue.
  const data::Image strip = data::read_image(path("run/validation.png"));
  for (const std::int64_t color : {0, 1, 2}) {
    const auto expected = static_cast<double>(100 + (GetParam() > 2 ? color : 0));
    EXPECT_NEAR(255 * strip.value(8, 8, color), expected, 0.5) << color;
  }
  const Outcome preview =
      run_program({"data", "preview", set().string(), "--out", path("preview.png").string()});
  EXPECT_EQ(preview.code, 0) << preview.err;
  const std::string model = path("run/best.model").string();
  const Outcome evaluated =
      run_program({"evaluate", model, "--data", set().string(), "--split",
                   path("split.json").string(), "--part", "val", "--out", path("e").string()});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;

  fs::remove(set() / ("imagesTs/y_9_000" + std::to_string(GetParam() - 1) + ".png"));
  const Outcome predicted = run_program({"predict", model, (set() / "imagesTs").string(),
                                         "--overlay", "--out", path("masks").string()});
  EXPECT_EQ(predicted.code, 1) << "one case lacks a file";
  EXPECT_TRUE(contains(predicted.err, "case y_9 lacks its file y_9_000")) << predicted.err;
  EXPECT_TRUE(fs::exists(path("masks/y_8.png")));
  EXPECT_TRUE(fs::exists(path("masks/y_8_overlay.png")));
  EXPECT_FALSE(fs::exists(path("masks/y_9.png")));
  const json manifest = json::parse(read_file(path("masks/manifest.json")));
  EXPECT_EQ(manifest.at("images").at(0).at("inputs").size(), static_cast<std::size_t>(GetParam()));
}

// Refused before the first step; the message names a file and the right setting.
TEST_P(ChannelFiles, AnotherNumberIsRefusedWithTheRightOne) {
  const Outcome trained = run_program(training("wrong", {"--set", setting(4)}));
  EXPECT_EQ(trained.code, 2);
  EXPECT_TRUE(contains(trained.err, "_0000.png")) << trained.err;
  EXPECT_TRUE(contains(trained.err, "--set " + setting())) << trained.err;
  EXPECT_FALSE(fs::exists(path("wrong/config.toml"))) << "nothing was begun";
  const Outcome preview = run_program(
      {"data", "preview", set().string(), "--channels", "4", "--out", path("wrong.png").string()});
  EXPECT_EQ(preview.code, 2);
  EXPECT_TRUE(contains(preview.err, "--channels " + std::to_string(GetParam()))) << preview.err;
}

INSTANTIATE_TEST_SUITE_P(Numbers, ChannelFiles, ::testing::Values(2, 3, 5));

// Each image is read by itself: one that does not fit fails by name.
TEST(Channels, PredictAndEvaluateNameTheImageThatDoesNotFit) {
  const test::TemporaryFolder folder;
  const auto path = [&](const std::string& name) { return (folder.path() / name).string(); };
  make_set(path("two"), 2);
  make_set(path("one"), 1);
  for (const char* set : {"two", "one"}) {
    ASSERT_EQ(
        run_program({"data", "split", path(set), "--out", path(set + std::string(".json"))}).code,
        0);
  }
  const Outcome trained = run_program(
      {"train", "--data", path("two"), "--split", path("two.json"), "--size", "32", "--epochs", "1",
       "--preset", "nano", "--set", "network.channels=2", "--out", path("run"), "--threads", "1"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string model = path("run/best.model");
  const std::string image = path("one/imagesTr/x_1_0000.png");
  fs::copy_file(image, path("gray.png"));
  const Outcome predicted = run_program({"predict", model, path("gray.png"), "--out", path("p")});
  EXPECT_EQ(predicted.code, 1);
  for (const char* part : {"gray.png", "takes 2 channels", "the image has 1"}) {
    EXPECT_TRUE(contains(predicted.err, part)) << part << ": " << predicted.err;
  }
  const Outcome evaluated = run_program({"evaluate", model, "--data", path("one"), "--split",
                                         path("one.json"), "--part", "train", "--out", path("e")});
  EXPECT_EQ(evaluated.code, 1);
  for (const char* part : {"_0000.png", "takes 2 channels", "the image has 1"}) {
    EXPECT_TRUE(contains(evaluated.err, part)) << part << ": " << evaluated.err;
  }
}

}  // namespace
}  // namespace medurwkv
