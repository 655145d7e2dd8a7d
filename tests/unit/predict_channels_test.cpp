// Cases whose channels are files of their own (nnU-Net's CASE_0000, CASE_0001): they are joined as
// training joins them; a missing one is reported by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/model_description.h"
#include "data/codecs/read.h"
#include "predict/outputs.h"
#include "predict/runner.h"
#include "support/images.h"
#include "support/listener.h"
#include "support/paths.h"

namespace medurwkv::predict {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

/// Keeps the first value of each plane that it is given.
class Recorder : public Engine {
 public:
  explicit Recorder(std::int64_t channels, std::int64_t files) {
    const auto count = static_cast<std::size_t>(channels);
    description_.input = {.fit = Fit::stretch,
                          .width = 4,
                          .height = 4,
                          .channels = channels,
                          .mean = std::vector<double>(count, 0),
                          .deviation = std::vector<double>(count, 1),
                          .files = files};
    description_.classes = {{"background", {}}, {"lesion", {255, 0, 0}}};
    description_.content_sha256 = std::string(64, '2');
  }
  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape&) const override { return 0; }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    std::vector<int> first;
    const auto plane = static_cast<std::size_t>(shape.height * shape.width);
    for (std::size_t i = 0; i < input.size(); i += plane) {
      first.push_back(static_cast<int>(std::lround(255 * input[i])));
    }
    seen.push_back(first);
    std::fill(logits.begin(), logits.end(), 0.0F);
  }
  std::vector<std::vector<int>> seen;

 private:
  ModelDescription description_;
};

class PredictChannels : public ::testing::Test {
 protected:
  void SetUp() override { options_.out = folder_.path() / "out"; }

  [[nodiscard]] fs::path in(const std::string& name) const { return folder_.path() / "in" / name; }
  void add(const std::string& name, int value, std::int64_t channels = 1) const {
    fs::create_directories(in(name).parent_path());
    write_file(in(name), data::encode_png(test::make_image(
                             4, 4, channels, [&](auto, auto, auto) { return value; })));
  }
  [[nodiscard]] Plan plan(const Recorder& engine, const std::vector<fs::path>& inputs) const {
    return plan_outputs(inputs, options_.out, options_.outputs, 2, engine.description().input);
  }
  [[nodiscard]] Names masks(const Recorder& engine, const std::vector<fs::path>& inputs) const {
    Names out;
    for (const Job& job : plan(engine, inputs).jobs) {
      out.push_back(job.outputs.front().file.generic_string());
    }
    return out;
  }
  RunResult run(Recorder& engine) {
    listener_.failures.clear();
    return run_jobs(engine, plan(engine, {in("")}).jobs, options_, listener_);
  }
  [[nodiscard]] nlohmann::json manifest() const {
    return nlohmann::json::parse(read_file(options_.out / manifest_name));
  }

  test::TemporaryFolder folder_;
  RunOptions options_;
  test::KeepingListener listener_;
};

TEST_F(PredictChannels, FilesOfACaseAreOneImageByTheirNumbers) {
  add("deep/y_000_0001.png", 200);
  add("deep/y_000_0000.png", 10);
  add("deep/y_001_0000.png", 30);
  add("deep/y_001_0001.png", 40);
  Recorder engine(2, 2);
  EXPECT_EQ(masks(engine, {in("")}), (Names{"deep/y_000.png", "deep/y_001.png"}));
  EXPECT_EQ(masks(engine, {in("deep/y_000_0001.png"), in("deep/y_000_0000.png")}),
            (Names{"y_000.png"}))
      << "files that are named one by one";
  EXPECT_EQ(run(engine).done, 2);
  EXPECT_EQ(engine.seen, (std::vector<std::vector<int>>{{10, 200}, {30, 40}}));
  const nlohmann::json image = manifest().at("images").at(0);
  ASSERT_EQ(image.at("inputs").size(), 2U);
  for (const char* name : {"deep/y_000_0000.png", "deep/y_000_0001.png"}) {
    const auto& one = image.at("inputs").at(name == std::string("deep/y_000_0001.png") ? 1 : 0);
    EXPECT_EQ(one.at("input"), in(name).string());
    EXPECT_EQ(one.at("sha256"), sha256_file(in(name)));
  }
  EXPECT_EQ(image.at("input"), image.at("inputs").at(0).at("input"));
}

TEST_F(PredictChannels, ACaseWithoutOneOfItsFilesFailsByNameAndTheRestGoesOn) {
  add("a_0000.png", 1);
  add("a_0001.png", 2);
  add("b_0000.png", 3);
  add("c_0001.png", 4);
  for (const char* name : {"d_0000.png", "d_0001.png", "d_0002.png"}) add(name, 5);
  Recorder engine(2, 2);
  const RunResult result = run(engine);
  EXPECT_EQ(result.done, 1);
  EXPECT_EQ(result.failed, 3);
  ASSERT_EQ(listener_.failures.size(), 3U);
  EXPECT_NE(listener_.failures[0].find("case b lacks its file b_0001"), std::string::npos)
      << listener_.failures[0];
  EXPECT_NE(listener_.failures[1].find("case c lacks its file c_0000"), std::string::npos)
      << listener_.failures[1];
  EXPECT_NE(listener_.failures[2].find("case d has 3 files"), std::string::npos)
      << listener_.failures[2];
  EXPECT_EQ(manifest().at("failed").size(), 3U);
  EXPECT_TRUE(listener_.failures[0].ends_with(
      manifest().at("failed").at(0).at("error").get<std::string>()));
}

// Numbers at the end of a name are the frames of a film, too.
TEST_F(PredictChannels, FilesThatTheModelTakesAloneAreNotJoined) {
  for (const char* name : {"film_0000.png", "film_0001.png"}) add(name, 9, 3);
  EXPECT_EQ(masks(Recorder(3, 1), {in("")}), (Names{"film_0000.png", "film_0001.png"}));
  add("other/film_0000.png", 9);
  add("other/film_0001.png", 9);
  EXPECT_EQ(masks(Recorder(1, 1), {in("other")}), (Names{"film_0000.png", "film_0001.png"}));
  EXPECT_EQ(masks(Recorder(3, 1), {in("other")}), (Names{"film_0000.png", "film_0001.png"}))
      << "gray, repeated";
  EXPECT_EQ(masks(Recorder(3, 3), {in("other")}), (Names{"film.png"})) << "trained on three files";
  EXPECT_EQ(masks(Recorder(2, 1), {in("other")}), (Names{"film.png"}))
      << "a model of a set that is one file (a pack)";
  add("other/scan.png", 9);
  EXPECT_EQ(masks(Recorder(2, 2), {in("other")}),
            (Names{"film_0000.png", "film_0001.png", "scan.png"}))
      << "not all are named so";
}

TEST_F(PredictChannels, AnImageOfOtherChannelsFailsByName) {
  add("gray.png", 1);
  add("rgb.png", 1, 3);
  Recorder five(5, 1);
  EXPECT_EQ(run(five).failed, 2);
  EXPECT_EQ(
      listener_.failures.at(0),
      in("gray.png").string() +
          ": the model takes 5 channels, the image has 1; it needs a model that was trained with "
          "network.channels=1");
  options_.out = folder_.path() / "out2";
  Recorder three_files(3, 3);
  EXPECT_EQ(run(three_files).done, 1) << "three channels in one file";
  ASSERT_EQ(listener_.failures.size(), 1U) << "one gray image stands for no three";
  EXPECT_NE(listener_.failures[0].find("CASE_0001"), std::string::npos) << listener_.failures[0];
}

TEST_F(PredictChannels, AChangedSecondFileIsDoneAgain) {
  add("y_0000.png", 1);
  add("y_0001.png", 2);
  Recorder engine(2, 2);
  EXPECT_EQ(run(engine).done, 1);
  options_.go_on = true;
  EXPECT_EQ(run(engine).kept, 1);
  add("y_0001.png", 3);
  EXPECT_EQ(run(engine).done, 1);
  EXPECT_EQ(engine.seen.back(), (std::vector<int>{1, 3}));
}

}  // namespace
}  // namespace medurwkv::predict
