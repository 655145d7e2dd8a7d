// evaluate judges the masks that predict writes with the same options.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

using test::contains;
using test::Words;
using test::operator+;

class OnePipeline : public test::TrainedWorld {
 protected:
  /// Both commands with the options; the masks of every judged case are the same bytes.
  static void expect_same_masks(const std::string& name, const Words& options) {
    const std::string judged = path(name + "_judged").string();
    const std::string predicted = path(name + "_predicted").string();
    const auto evaluated = test::run_program(Words{"evaluate", model(), "--data", data(), "--split",
                                                   split(), "--out", judged, "--quiet"} +
                                             options);
    ASSERT_EQ(evaluated.code, 0) << evaluated.err;
    const auto done = test::run_program(
        Words{"predict", model(), data() + "/images", "--out", predicted, "--quiet"} + options);
    ASSERT_EQ(done.code, 0) << done.err;
    std::size_t compared = 0;
    for (const auto& mask : std::filesystem::directory_iterator(judged + "/masks")) {
      const std::string stem = mask.path().filename().string();
      EXPECT_EQ(read_file(mask.path()), read_file(predicted + "/" + stem)) << name << " " << stem;
      ++compared;
    }
    EXPECT_EQ(compared, 3U) << "the cases of the test part";
    const auto summary =
        nlohmann::json::parse(read_file(judged + "/summary.json")).at("command").get<std::string>();
    for (const std::string& word : options) EXPECT_TRUE(contains(summary, word)) << summary;
  }
};

TEST_F(OnePipeline, MirrorImagesAreAveraged) {
  expect_same_masks("flips", {"--tta"});
}

TEST_F(OnePipeline, MasksAreCorrectedBeforeTheyAreJudged) {
  expect_same_masks("corrected",
                    {"--threshold", "0.3", "--fill-holes", "--largest", "--min-area", "40"});
}

TEST_F(OnePipeline, AnEnsembleIsJudgedAsOne) {
  const std::string other = path("other").string();
  const auto second = test::run_program(world->training("other", {"--epochs", "1", "--seed", "5"}));
  ASSERT_EQ(second.code, 0) << second.err;
  expect_same_masks("ensemble", {"--ensemble", other, "--tta"});
}

TEST_F(OnePipeline, MasksOfOthersAreJudgedAsTheyAre) {
  const auto refused = test::run_program({"evaluate", "--predictions", data() + "/masks", "--data",
                                          data(), "--out", path("refused").string(), "--tta"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "--tta")) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(path("refused")));
}

}  // namespace
}  // namespace medurwkv
