// Files that earlier versions of the program wrote, kept as they are: they open for good.
// data/version1.model: model format 1; nano at 64 x 64, 12 epochs on data/demo, split with seed 1.
// data/released/VERSION: what scripts/keep-released made: a run of nano at 64 x 64 on data/demo,
// its evaluation, two splits of data/demo, a pack of four cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
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

fs::path released() {
  return test::source_folder() / "tests/cli/data/released";
}

std::vector<std::string> released_versions() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(released())) {
    out.push_back(entry.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

class Released : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::string kept(const std::string& name) {
    return (released() / GetParam() / name).string();
  }
  [[nodiscard]] std::string made(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  const std::string demo_ = (test::source_folder() / "data/demo").string();

 private:
  test::TemporaryFolder folder_;
};

TEST_P(Released, ModelsJudgeAndEvaluationsCompareAsTheyDid) {
  const Outcome judged = run_program({"evaluate", kept("run"), "--data", demo_, "--split",
                                      kept("split.json"), "--out", made("judged"), "--json"});
  ASSERT_EQ(judged.code, 0) << judged.err;
  const json then = json::parse(read_file(kept("evaluation/summary.json")));
  // Other processors round otherwise.
  EXPECT_NEAR(json::parse(judged.out).at("mean_dice").get<double>(),
              then.at("mean_dice").get<double>(), 2e-3);
  const Outcome compared =
      run_program({"compare", kept("evaluation"), made("judged"), "--out", made("compared")});
  EXPECT_EQ(compared.code, 0) << compared.err;
}

TEST_P(Released, RunsGoOn) {
  fs::copy(kept("run"), made("run"), fs::copy_options::recursive);
  const Outcome outcome = run_program(
      {"train", "--resume", "--data", demo_, "--split", kept("split.json"), "--preset", "nano",
       "--size", "64", "--batch", "8", "--seed", "1", "--epochs", "13", "--out", made("run")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // A header, the twelve epochs as they were, and one more.
  const std::vector<std::string> then = split(read_file(kept("run/log.csv")), '\n');
  const std::vector<std::string> now = split(read_file(made("run/log.csv")), '\n');
  ASSERT_EQ(then.size(), 14U);  // the last is what follows the last end of a line
  ASSERT_EQ(now.size(), 15U);
  EXPECT_TRUE(std::equal(then.begin(), then.end() - 1, now.begin()));
}

TEST_P(Released, SplitsAndPacksAreRead) {
  for (const std::string file : {"split.json", "folds.json"}) {
    const Outcome outcome = run_program({"data", "check", demo_, "--split", kept(file), "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
    EXPECT_EQ(json::parse(outcome.out).at("images"), 90) << file;
  }
  const Outcome outcome = run_program({"data", "check", kept("few.pack"), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("images"), 4);
}

INSTANTIATE_TEST_SUITE_P(Versions, Released, ::testing::ValuesIn(released_versions()),
                         [](const auto& with) {
                           std::string name = with.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace medurwkv
