// Wrong values of every number of every option and setting, and options that lack what they need.
// Each is refused in words, with exit code 2, and leaves nothing behind.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;

class Values : public test::TrainedWorld {
 protected:
  static std::string file(const std::string& name) { return path(name).string(); }

  static void refuse(const Words& words, const std::string& hint) {
    const Outcome outcome = run_program(words);
    std::string about;
    for (const std::string& word : words) about += word + " ";
    EXPECT_EQ(outcome.code, 2) << about << outcome.err;
    EXPECT_TRUE(contains(outcome.err, hint)) << about << outcome.err;
    EXPECT_EQ(outcome.out, "") << about;
    for (const char* name : {"out", "out.json", "out.png", "out.pack"}) {
      EXPECT_FALSE(fs::exists(path(name))) << about << name;
    }
  }
};

TEST_F(Values, NumbersOfOptionsAreNumbersInTheirRange) {
  const Words train{"train", "--data", data(), "--split", split(), "--out", file("out")};
  const Words judge{"evaluate", model(), "--data", data(), "--out", file("out")};
  const Words predict{"predict", model(), data() + "/images", "--out", file("out")};
  const Words divide{"data", "split", data(), "--out", file("out.json")};
  const Words preview{"data", "preview", data(), "--out", file("out.png")};
  const std::vector<std::pair<Words, Words>> wholes{
      {train,
       {"--epochs", "--batch", "--size", "--seeds", "--seed", "--threads", "--nproc", "--world",
        "--rank"}},
      {judge, {"--seed", "--threads", "--batch", "--fold"}},
      {predict, {"--jobs", "--threads", "--min-area"}},
      {divide, {"--seed", "--folds", "--threads"}},
      {preview, {"--seed", "--cases", "--epochs", "--channels", "--size", "--fold", "--threads"}},
      {{"inspect", "--preset", "nano"}, {"--classes", "--channels", "--size"}},
      {{"bench"}, {"--rounds", "--threads"}},
      {{"doctor"}, {"--threads"}},
      {{"compare", "a", "b"}, {"--seed"}},
      {{"convert", "a", "b.model"}, {"--size"}},
      {{"features", "a", "b"}, {"--threads"}}};
  const std::vector<std::pair<Words, Words>> numbers{
      {train, {"--max-minutes", "--save-every", "--cache", "--memory"}},
      {judge, {"--tolerance"}},
      {predict, {"--threshold"}},
      {divide, {"--test"}}};
  const auto try_all = [](const std::vector<std::pair<Words, Words>>& commands,
                          const Words& values) {
    for (const auto& [command, options] : commands) {
      for (const std::string& option : options) {
        for (const std::string& value : values) {
          Words words = command;
          words.push_back(option + "=" + value);
          refuse(words, option);
        }
      }
    }
  };
  try_all(wholes, {"-1", "nan", "inf", "1.5", "1e3", "0x10", "99999999999999999999", "1 2", "1x"});
  try_all(numbers, {"-1", "nan", "inf", "1e400", "1e30", "1x"});
  for (const std::string pair : {"nan,1", "1,inf", "-1,1", "1,1x"}) {
    Words words = judge;
    words.insert(words.end(), {"--spacing=" + pair});
    refuse(words, "--spacing");
  }
  for (const std::string three : {"nan,1,1", "-1,1,1", "inf,1,1"}) {
    Words words = divide;
    words.insert(words.end(), {"--ratios=" + three});
    refuse(words, "--ratios");
  }
}

// The largest seed is one; what is beyond would wrap or be no TOML.
TEST_F(Values, ASeedIsTheSeedThatIsKept) {
  const std::string most = "1000000000000000000";
  const Outcome outcome =
      run_program({"data", "split", data(), "--seed", most, "--out", file("seed.json")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(read_file(path("seed.json"))).at("seed").dump(), most);
  refuse({"data", "split", data(), "--seed", "1000000000000000001", "--out", file("out.json")},
         "--seed");
  refuse({"data", "split", data(), "--seed", "010", "--out", file("out.json")}, "got 010");
}

// Each setting by itself: tests/unit/validators_test.cpp.
TEST_F(Values, NumbersOfSettingsAreNumbersInTheirRange) {
  refuse(world->training("out", {"--set", "run.seed=-1"}), "run.seed");
  refuse(world->training("out", {"--set", "loss.class_weights=[0, 0]"}), "loss.class_weights");
  for (const char* text : {"[run]\nseed = -1\n", "[input]\nwindow_low = nan\n",
                           "[input]\nwindow_high = inf\n", "[augment]\nscale = nan\n"}) {
    write_file(path("bad.toml"), text);
    const Outcome outcome = run_program(
        {"data", "preview", data(), "--config", file("bad.toml"), "--out", file("out.png")});
    EXPECT_EQ(outcome.code, 1) << text << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "bad.toml")) << outcome.err;
  }
  refuse(world->training("out", {"--rank", "1"}), "--rendezvous");
  write_file(path("nan.toml"), "[optimizer]\nrate = nan\n");
  refuse(world->training("out", {"--config", file("nan.toml")}), "optimizer.rate");
}

TEST_F(Values, AFoldWantsFolds) {
  const std::string hint = "fold";
  refuse({"evaluate", model(), "--data", data(), "--fold", "1", "--out", file("out")}, hint);
  refuse({"evaluate", model(), "--data", data(), "--split", split(), "--fold", "1", "--out",
          file("out")},
         hint);
  refuse({"data", "preview", data(), "--fold", "1", "--out", file("out.png")}, hint);
  refuse({"data", "preview", data(), "--split", split(), "--fold", "1", "--out", file("out.png")},
         hint);
  for (const std::string fold : {"1", "all", "-1", "0", "nan", ""}) {
    if (fold.empty()) continue;
    refuse(world->training("out", {"--fold", fold}), "--fold");
  }
  refuse(world->training("out", {"--set", "run.fold=1"}), hint);
}

TEST_F(Values, NamesOfClassesAreDistinctLines) {
  for (const auto& [names, hint] : std::vector<std::pair<std::string, std::string>>{
           {"background,", "class 1 has an empty name"},
           {"background,background", "stands for class 0 and class 1"},
           {"background, ", "class 1 has an empty name"},
           {"background,a\nb", "is not one line"}}) {
    refuse({"data", "check", data(), "--class-names", names}, hint);
    refuse({"data", "split", data(), "--class-names", names, "--out", file("out.json")}, hint);
    refuse({"evaluate", model(), "--data", data(), "--class-names", names, "--out", file("out")},
           hint);
    refuse({"data", "pack", data(), "--class-names", names, "--out", file("out.pack")}, hint);
  }
  const Outcome blanks = run_program({"data", "split", data(), "--class-names",
                                      "background, lesion", "--out", file("blank.json")});
  ASSERT_EQ(blanks.code, 0) << blanks.err;
  EXPECT_EQ(json::parse(read_file(path("blank.json"))).at("classes")[1], "lesion");
}

TEST_F(Values, RegionsHoldAClassOnce) {
  refuse(world->training("out", {"--set", "loss.regions=1+1"}), "the class 1 twice");
}

// What is asked for goes to stdout, and with --quiet nothing but errors to stderr.
TEST_F(Values, QuietPrintsResultsAndErrors) {
  const std::string evaluation = file("quiet a");
  ASSERT_EQ(
      run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out", evaluation})
          .code,
      0);
  const std::vector<Words> commands{
      {"data", "check", data()},
      {"data", "split", data(), "--out", file("quiet.json")},
      {"data", "pack", data(), "--out", file("quiet.pack")},
      {"data", "preview", data(), "--size", "32", "--out", file("quiet.png")},
      world->training("quiet run", {"--epochs", "1"}),
      world->training("quiet seeds", {"--epochs", "1", "--seeds", "2"}),
      {"evaluate", model(), "--data", data(), "--split", split(), "--out", file("quiet b")},
      {"evaluate", model(), "--data", data(), "--out", file("quiet c")},
      {"evaluate", file("quiet seeds"), "--data", data(), "--split", split(), "--out",
       file("quiet d")},
      {"compare", evaluation, file("quiet b"), "--out", file("quiet compared")},
      {"predict", file("run"), data(), "--out", file("quiet masks")}};
  for (Words words : commands) {
    words.emplace_back("--quiet");
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 0) << words[0] << words[1] << ": " << outcome.err;
    EXPECT_EQ(outcome.err, "") << words[0] << " " << words[1];
    EXPECT_NE(outcome.out, "") << words[0] << " " << words[1];
  }
  const Outcome wrong = run_program({"predict", file("none"), data(), "--quiet"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(contains(wrong.err, "none")) << wrong.err;
}

// /dev/full takes nothing: results that nobody got are not a success, in any command.
TEST_F(Values, AFullStdoutIsNoticedByAll) {
  ASSERT_EQ(run_program({"evaluate", model(), "--data", data(), "--split", split(), "--out",
                         file("full a")})
                .code,
            0);
  const std::vector<Words> commands{
      {"doctor"},
      {"data", "check", data()},
      {"data", "split", data(), "--out", file("full.json")},
      {"data", "pack", data(), "--out", file("full.pack")},
      {"data", "preview", data(), "--size", "32", "--out", file("full.png")},
      world->training("full run", {"--epochs", "1"}),
      {"evaluate", model(), "--data", data(), "--split", split(), "--out", file("full b")},
      {"compare", file("full a"), file("full b"), "--out", file("full compared")},
      {"predict", model(), data() + "/images", "--out", file("full masks")},
      {"predict", model(), data() + "/images", "--out", file("full json"), "--json"},
      {"inspect", model()},
      {"convert", model(), file("full.pth")}};
  for (const Words& words : commands) {
    test::Start start;
    start.out = "/dev/full";
    const Outcome outcome = run_program(words, start);
    EXPECT_EQ(outcome.code, 1) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "stdout: cannot write")) << words[0] << ": " << outcome.err;
  }
}

TEST_F(Values, PredictTakesTheFolderOfARun) {
  const Outcome outcome =
      run_program({"predict", file("run"), data() + "/images", "--out", file("by folder")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "model " + model())) << outcome.err;
  ASSERT_EQ(run_program({"predict", model(), data() + "/images", "--out", file("by file")}).code,
            0);
  const json by_folder = json::parse(read_file(path("by folder/manifest.json")));
  const json by_file = json::parse(read_file(path("by file/manifest.json")));
  EXPECT_EQ(by_folder.at("models"), by_file.at("models"));
  EXPECT_EQ(by_folder.at("images"), by_file.at("images"));

  ASSERT_EQ(run_program(world->training("series", {"--epochs", "1", "--seeds", "2"})).code, 0);
  const Outcome several =
      run_program({"predict", file("series"), data() + "/images", "--out", file("by series")});
  ASSERT_EQ(several.code, 0) << several.err;
  for (const char* seed : {"seed0", "seed1"}) {
    EXPECT_TRUE(contains(several.err, path("series") / seed / "best.model")) << several.err;
  }
  EXPECT_EQ(json::parse(read_file(path("by series/manifest.json"))).at("models").size(), 2U);
  const Outcome none = run_program({"predict", data(), data(), "--out", file("none")});
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(contains(none.err, "holds no best.model")) << none.err;
}

}  // namespace
}  // namespace medurwkv
