// A prediction shared out to several processes that write into one folder, one of which is killed.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::operator+;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;
using test::Words;

class SharedPrediction : public test::TrainedWorld {
 protected:
  /// 48 images, so that there is time to kill.
  static void SetUpTestSuite() {
    test::TrainedWorld::SetUpTestSuite();
    for (const auto& entry : fs::directory_iterator(world->data() / "images")) {
      for (int copy = 0; copy < 4; ++copy) {
        const fs::path folder = path("many") / concat("copy", copy);
        fs::create_directories(folder);
        fs::copy_file(entry.path(), folder / entry.path().filename());
      }
    }
  }
  static Words predict(const std::string& out, const Words& more) {
    return Words{"predict", model(), path("many").string(), "--out", path(out).string(),
                 "--jobs",  "1",     "--threads",           "1"} +
           more;
  }
  static std::string manifest(const std::string& out) {
    return read_file(path(out) / "manifest.json");
  }
};

TEST_F(SharedPrediction, AKilledShardLosesAndDoublesNothing) {
  ASSERT_EQ(run_program(predict("whole", {})).code, 0);
  const auto shard = [&](int index) {
    return predict("out", {"--shard", concat(index, "/3"), "--continue"});
  };
  const Words merge{"predict", "--merge", "--out", path("out").string()};
  {
    Process first(shard(1));
    Process second(shard(2));
    Process third(shard(3));
    const auto has_masks = [] {
      if (!fs::exists(path("out"))) return false;
      std::size_t count = 0;
      for (const auto& entry : fs::recursive_directory_iterator(path("out"))) {
        count += entry.path().extension() == ".png" ? 1 : 0;
      }
      return count > 3;
    };
    ASSERT_TRUE(second.until(has_masks)) << second.err();
    second.send(SIGKILL);
    EXPECT_EQ(first.wait(60).code, 0) << first.err();
    EXPECT_EQ(third.wait(60).code, 0) << third.err();
    ASSERT_EQ(second.wait(60).signal, SIGKILL) << "it had ended before it was killed";
  }
  const Outcome early = run_program(merge);
  EXPECT_EQ(early.code, 1);
  EXPECT_TRUE(contains(early.err, "2/3")) << early.err;
  const Outcome again = run_program(shard(2));
  EXPECT_EQ(again.code, 0) << again.err;
  const Outcome merged = run_program(merge + Words{"--json"});
  ASSERT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(json::parse(merged.out).at("images"), 48);
  EXPECT_EQ(json::parse(merged.out).at("shards"), 3);
  EXPECT_EQ(manifest("out"), manifest("whole"));
  for (const json& image : json::parse(manifest("whole")).at("images")) {
    const std::string mask = image.at("outputs").at(0).at("file");
    EXPECT_EQ(read_file(path("out") / mask), read_file(path("whole") / mask)) << mask;
  }
}

TEST_F(SharedPrediction, OptionsThatDoNotFitAreRefused) {
  const auto refused = [&](const Words& words, const std::string& part) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
  };
  refused(predict("wrong", {"--shard", "4/3"}), "--shard 4/3: expected I/N");
  refused({"predict", "--merge", "--shard", "1/3", "--out", path("wrong").string()}, "--shard");
  refused({"predict", model(), "--merge", "--out", path("wrong").string()}, "model");
  refused({"predict", "--out", path("wrong").string()}, "model");
  EXPECT_FALSE(fs::exists(path("wrong")));
  const Outcome nothing = run_program({"predict", "--merge", "--out", path("wrong").string()});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_TRUE(contains(nothing.err, "no folder")) << nothing.err;
}

}  // namespace
}  // namespace medurwkv
