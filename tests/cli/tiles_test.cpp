// Models that see images by tiles, through the program: trained, judged and run; a tile that covers
// every image against the whole run of the same weights; what is refused; Ctrl-C within an image.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/codecs/read.h"
#include "support/images.h"
#include "support/process.h"
#include "support/trained_world.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;
using test::operator+;

class TilesOfModels : public test::TrainedWorld {
 protected:
  void SetUp() override {
    TrainedWorld::SetUp();
    if (!IsSkipped() && !HasFatalFailure() && !fs::exists(path("tiles"))) {
      const Outcome outcome = world->trained("tiles", {"--epochs", "2", "--set", "input.fit=tile"});
      ASSERT_EQ(outcome.code, 0) << outcome.err;
    }
  }

  static std::string tiles() { return path("tiles/best.model").string(); }

  /// The model with another fit.
  static std::string refitted(Fit fit, const std::string& name) {
    const weights::TensorFile file = weights::read_checked(tiles());
    weights::ModelInfo info = weights::model_info(tiles(), file.metadata());
    info.input.fit = fit;
    std::vector<weights::TensorView> tensors;
    for (const weights::TensorInfo& one : file.tensors()) {
      tensors.push_back({one.name, one.type, one.shape, file.data(one)});
    }
    weights::write_model_file(path(name), tensors, weights::to_metadata(info));
    return path(name).string();
  }

  static Outcome predict(const std::string& model, const std::string& out, const Words& more = {}) {
    return run_program(Words{"predict", model, data() + "/images", "--out", path(out).string(),
                             "--quiet", "--threads", "1"} +
                       more);
  }

  /// The masks of both folders are the same bytes; how many there are.
  static std::size_t same_masks(const std::string& one, const std::string& other) {
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator(path(one))) {
      if (file.path().extension() != ".png") continue;
      EXPECT_EQ(read_file(file.path()), read_file(path(other) / file.path().filename()))
          << file.path();
      ++count;
    }
    return count;
  }
};

TEST_F(TilesOfModels, AreTrainedAndJudgedAsTheyArePredicted) {
  const auto config = read_file(path("tiles/config.toml"));
  EXPECT_TRUE(contains(config, "fit = 'tile'")) << config;
  ASSERT_EQ(predict(tiles(), "predicted").code, 0);
  const Outcome judged =
      run_program({"evaluate", tiles(), "--data", data(), "--split", split(), "--part", "val",
                   "--out", path("judged").string(), "--threads", "1", "--json"});
  ASSERT_EQ(judged.code, 0) << judged.err;
  std::size_t compared = 0;
  for (const auto& mask : fs::directory_iterator(path("judged/masks"))) {
    EXPECT_EQ(read_file(mask.path()), read_file(path("predicted") / mask.path().filename()));
    ++compared;
  }
  EXPECT_EQ(compared, 3U);
  // Validation in training is what evaluate says of the same part: by LibTorch, so but for a pixel.
  const double dice = nlohmann::json::parse(judged.out).at("mean_dice").get<double>();
  const std::string log = read_file(path("tiles/log.csv"));
  double best = -1;
  std::size_t at = log.find('\n');
  while (at != std::string::npos && at + 1 < log.size()) {
    const std::size_t end = log.find('\n', at + 1);
    const std::string line = log.substr(at + 1, end - at - 1);
    best = std::max(best, std::stod(line.substr(line.rfind(',') + 1)));
    at = end;
  }
  EXPECT_NEAR(dice, best, 2e-3);
}

TEST_F(TilesOfModels, OneThatCoversEveryImageIsTheWholeRun) {
  const std::string whole = refitted(Fit::native, "native.model");
  ASSERT_EQ(predict(whole, "whole", {"--unsure"}).code, 0);
  ASSERT_EQ(predict(tiles(), "covering", {"--unsure", "--tile", "4096"}).code, 0);
  EXPECT_EQ(same_masks("whole", "covering"), 24U);
  // Smaller ones are something else, and the same for both kinds of model.
  ASSERT_EQ(predict(whole, "native_tiles", {"--unsure", "--tile", "64"}).code, 0);
  ASSERT_EQ(predict(tiles(), "own_tiles", {"--unsure"}).code, 0);
  EXPECT_EQ(same_masks("native_tiles", "own_tiles"), 24U);
  bool differ = false;
  for (const auto& file : fs::directory_iterator(path("whole"))) {
    if (file.path().extension() != ".png") continue;
    differ |= read_file(file.path()) != read_file(path("own_tiles") / file.path().filename());
  }
  EXPECT_TRUE(differ);
}

TEST_F(TilesOfModels, ModelsOfResizedImagesRefuseThem) {
  for (const Words& command :
       {Words{"predict", model(), data() + "/images"}, Words{"evaluate", model(), "--data", data()},
        Words{"predict", tiles(), data() + "/images", "--ensemble", model()}}) {
    const Outcome outcome =
        run_program(command + Words{"--tile", "64", "--out", path("refused").string()});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, model()) && contains(outcome.err, "--tile") &&
                contains(outcome.err, "stretch"))
        << outcome.err;
  }
  EXPECT_EQ(run_program({"predict", tiles(), data(), "--out", "x", "--tile", "31"}).code, 2);
  const Outcome typo = run_program(world->training("typo", {"--set", "input.fit=tiles"}));
  EXPECT_EQ(typo.code, 2);
  EXPECT_TRUE(contains(typo.err, "tile")) << typo.err;
}

// What needs the whole of an image that is too large for it says which options those are.
TEST_F(TilesOfModels, OptionsThatNeedTheWholeImageAreNamed) {
  const fs::path image = path("large/large.png");
  test::write_gray(image, 6000, 6000, [](auto x, auto y) { return static_cast<int>(x + y) % 251; });
  const auto run = [&](const std::string& out, const Words& more) {
    return run_program(Words{"predict", tiles(), image.string(), "--out", path(out).string(),
                             "--memory", "0.3", "--threads", "1"} +
                       more);
  };
  const Outcome refused = run("needs_whole", {"--overlay", "--largest"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_TRUE(contains(refused.err, "large.png") &&
              contains(refused.err, "without --overlay, --largest it is predicted row by row"))
      << refused.err;
  EXPECT_EQ(refused.signal, 0);
}

// Ctrl-C is heard between two tiles; what was begun leaves nothing.
TEST_F(TilesOfModels, StopWithinAnImage) {
  const fs::path image = path("stopped/large.png");
  test::write_gray(image, 3000, 3000, [](auto x, auto y) { return static_cast<int>(x + y) % 251; });
  test::Process process({"predict", tiles(), image.string(), "--out", path("stopped_out").string(),
                         "--threads", "1"});
  const auto begun = [&] {
    std::error_code error;
    for (const auto& file : fs::directory_iterator(path("stopped_out"), error)) {
      if (contains(file.path().filename().string(), "large")) return true;
    }
    return false;
  };
  ASSERT_TRUE(process.until(begun)) << process.err();
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(path("stopped_out"))) {
    names.push_back(file.path().filename().string());
  }
  EXPECT_EQ(names, std::vector<std::string>{"manifest.json"});
}

}  // namespace
}  // namespace medurwkv
