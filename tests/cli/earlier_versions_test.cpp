// Files that earlier versions of the program wrote, kept as they are: they open for good.
// data/version1.model: model format 1; nano at 64 x 64, 12 epochs on data/demo, split with seed 1.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "support/paths.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

class EarlierVersions : public test::TrainedWorld {
 protected:
  static std::string kept() {
    return (test::source_folder() / "tests/cli/data/version1.model").string();
  }
};

TEST_F(EarlierVersions, AModelOfFormat1JudgesAsItDid) {
  const std::string demo = (test::source_folder() / "data/demo").string();
  const std::string split = path("demo.json").string();
  ASSERT_EQ(run_program({"data", "split", demo, "--seed", "1", "--out", split}).code, 0);
  const Outcome outcome = run_program({"evaluate", kept(), "--data", demo, "--split", split,
                                       "--out", path("judged").string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // What the version that trained it reported; other processors round otherwise.
  EXPECT_NEAR(json::parse(outcome.out).at("mean_dice").get<double>(), 0.4708954, 2e-3);
}

TEST_F(EarlierVersions, AModelOfFormat1IsDescribedAndTrainedOn) {
  const Outcome inspected = run_program({"inspect", kept(), "--json"});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  const json about = json::parse(inspected.out).at("about");
  EXPECT_EQ(about.at("kind"), "model");
  EXPECT_EQ(about.at("metadata").at("format_version"), "1");
  EXPECT_EQ(about.at("classes"), json({"background", "foreground"}));
  const Outcome outcome = run_program(world->training("on", {"--epochs", "1", "--init", kept()}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "model of medurwkv (nano)")) << outcome.err;
}

}  // namespace
}  // namespace medurwkv
