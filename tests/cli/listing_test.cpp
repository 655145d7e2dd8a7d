// Folders that cannot be listed, by permission or because the disk fails in the middle: every
// command that reads folders ends with the folder's name, and none goes on with a smaller set.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;

class Listing : public test::TrainedWorld {
 protected:
  static std::string images() { return data() + "/images"; }

  /// The commands that list the images of a set, each with an output of its own.
  static std::vector<Words> readers() {
    const auto out = [](const char* name) { return path(name).string(); };
    return {{"data", "check", data()},
            {"data", "split", data(), "--out", out("s.json")},
            {"data", "pack", data(), "--out", out("s.pack")},
            {"data", "preview", data(), "--out", out("s.png")},
            {"train", "--data", data(), "--split", split(), "--preset", "nano", "--size", "32",
             "--epochs", "1", "--out", out("s_run")},
            {"evaluate", model(), "--data", data(), "--split", split(), "--out", out("s_eval")},
            {"evaluate", "--predictions", images(), "--data", data(), "--split", split(), "--out",
             out("s_masks")},
            {"predict", model(), data(), "--out", out("s_pred")},
            {"predict", model(), images() + "/*", "--out", out("s_pattern")}};
  }

  static void expect_named(const std::vector<Words>& commands, const std::string& folder,
                           const test::Start& start, const std::string& reason) {
    for (const Words& words : commands) {
      const Outcome outcome = run_program(words, start);
      EXPECT_EQ(outcome.code, 1) << words[0] << " " << words[1] << ": " << outcome.err;
      EXPECT_TRUE(contains(outcome.err, folder + ": cannot be listed: " + reason))
          << words[0] << " " << words[1] << ": " << outcome.err;
      EXPECT_FALSE(contains(outcome.err, "bug")) << outcome.err;
      if (words.back() != data()) {
        EXPECT_FALSE(fs::exists(words.back())) << words.back();
      }
    }
  }
};

TEST_F(Listing, AClosedFolderEndsEveryCommandByName) {
  fs::permissions(images(), fs::perms::owner_exec);
  test::Start start;
  start.obey_permissions = true;
  expect_named(readers(), images(), start, "Permission denied");
  fs::permissions(images(), fs::perms::owner_all);
}

TEST_F(Listing, ADiskThatFailsInTheMiddleEndsEveryCommandByName) {
  const test::Start start{.environment = {{"LD_PRELOAD", MEDURWKV_FAILING_LISTING},
                                          {"MEDURWKV_TEST_UNLISTED", images()}}};
  std::vector<Words> commands = readers();
  // The training library looks for its calls in its own libraries first (RTLD_DEEPBIND).
  std::erase_if(commands, [](const Words& words) { return words[0] == "train"; });
  expect_named(commands, images(), start, "Input/output error");
}

TEST_F(Listing, ASeriesIsNotJudgedInPart) {
  const fs::path series = path("series");
  for (const char* seed : {"seed0", "seed1"}) {
    fs::create_directories(series / seed);
    fs::copy_file(model(), series / seed / "best.model");
  }
  const Words words{"evaluate", series.string(), "--data", data(),
                    "--split",  split(),         "--out",  path("series_eval").string()};
  const test::Start start{.environment = {{"LD_PRELOAD", MEDURWKV_FAILING_LISTING},
                                          {"MEDURWKV_TEST_UNLISTED", series.string()}}};
  expect_named({words}, series.string(), start, "Input/output error");
  EXPECT_EQ(run_program(words).code, 0);
}

// The run's folder is looked through for files of earlier runs.
TEST_F(Listing, TheFolderOfARunToo) {
  fs::permissions(path("run"), fs::perms::owner_write | fs::perms::owner_exec);
  test::Start start;
  start.obey_permissions = true;
  const Outcome outcome = run_program(world->training("run", {"--epochs", "2", "--resume"}), start);
  fs::permissions(path("run"), fs::perms::owner_all);
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(
      contains(outcome.err, path("run").string() + ": cannot open the folder: Permission denied"))
      << outcome.err;
}

}  // namespace
}  // namespace medurwkv
