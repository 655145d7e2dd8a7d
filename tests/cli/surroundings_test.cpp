// The commands where the surroundings are not as they should be: folders missing or closed to
// writing, a model that does not fit the data, odd names, closed streams, Ctrl-C.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/images.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;

class Surroundings : public test::TrainedWorld {
 protected:
  /// The commands that write, each into `out`.
  static std::vector<Words> writers(const std::string& out) {
    return {{"train", "--data", data(), "--split", split(), "--preset", "nano", "--size", "32",
             "--epochs", "1", "--out", out},
            {"predict", model(), data() + "/images", "--out", out},
            {"evaluate", model(), "--data", data(), "--split", split(), "--out", out},
            {"data", "split", data(), "--out", out + "/split.json"},
            {"data", "pack", data(), "--out", out + "/set.pack"},
            {"data", "preview", data(), "--out", out + "/preview.png"},
            {"data", "check", data(), "--fix", out + "/fixed"}};
  }
};

TEST_F(Surroundings, WhatDoesNotExistIsNamed) {
  const std::string nowhere = path("nowhere").string();
  const std::vector<Words> commands{
      {"data", "check", nowhere},
      {"data", "split", nowhere, "--out", path("s.json").string()},
      {"train", "--data", nowhere, "--split", split(), "--out", path("t").string()},
      {"train", "--data", data(), "--split", nowhere, "--out", path("t").string()},
      {"train", "--data", data(), "--split", split(), "--resume", "--out", nowhere},
      {"evaluate", nowhere, "--data", data(), "--split", split(), "--out", path("e").string()},
      {"evaluate", model(), "--data", nowhere, "--split", split(), "--out", path("e").string()},
      {"evaluate", model(), "--data", data(), "--split", nowhere, "--out", path("e").string()},
      {"predict", nowhere, data(), "--out", path("p").string()},
      {"predict", model(), nowhere, "--out", path("p").string()},
      {"inspect", nowhere}};
  for (const Words& words : commands) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 1) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, nowhere)) << words[0] << ": " << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "bug")) << words[0] << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "") << words[0];
  }
  EXPECT_FALSE(fs::exists(nowhere));
  for (const char* name : {"t", "e", "s.json"}) EXPECT_FALSE(fs::exists(path(name))) << name;
}

// Refused before the work, not when its result is to be written.
TEST_F(Surroundings, AFolderClosedToWritingIsRefusedAtOnce) {
  const fs::path out = path("closed");
  fs::create_directories(out);
  fs::permissions(out, fs::perms::owner_read | fs::perms::owner_exec);
  test::Start start;
  start.obey_permissions = true;
  for (const Words& words : writers(out.string())) {
    const Outcome outcome = run_program(words, start);
    EXPECT_EQ(outcome.code, 1) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, out.string())) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "Permission denied")) << words[0] << ": " << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "scoring") || contains(outcome.err, "reading"))
        << words[0] << ": " << outcome.err;
  }
  EXPECT_TRUE(fs::is_empty(out));
  fs::permissions(out, fs::perms::owner_all);
}

TEST_F(Surroundings, AFileInPlaceOfTheFolderIsRefused) {
  write_file(path("file"), "kept");
  for (const Words& words : writers(path("file/inner").string())) {
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 1) << words[0] << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, path("file").string())) << words[0] << ": " << outcome.err;
  }
  EXPECT_EQ(read_file(path("file")), "kept");
}

TEST_F(Surroundings, EvaluateRefusesMasksWithOtherClasses) {
  const fs::path three = path("three");
  for (int i = 0; i < 4; ++i) {
    const std::string name = "case" + std::to_string(i) + ".png";
    test::write_gray(three / "images" / name, 32, 32, [i](auto x, auto y) {
      return static_cast<int>((3 * x + 5 * y + 40 * i) % 256);
    });
    test::write_gray(three / "masks" / name, 32, 32,
                     [i](auto x, auto) { return static_cast<int>((x + i) / 12 % 3); });
  }
  const std::string split_file = path("three.json").string();
  const Outcome made = run_program(
      {"data", "split", three.string(), "--ratios", "0.5", "0.25", "0.25", "--out", split_file});
  ASSERT_EQ(made.code, 0) << made.err;
  ASSERT_EQ(json::parse(read_file(split_file)).at("classes").size(), 3U);
  const Outcome outcome = run_program({"evaluate", model(), "--data", three.string(), "--split",
                                       split_file, "--out", path("three out").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "knows 2 classes")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "have 3")) << outcome.err;
  EXPECT_FALSE(fs::exists(path("three out")));
}

// A split of this data other than the model's is no mistake by itself, but may be one.
TEST_F(Surroundings, EvaluateWarnsOfASplitTheModelWasNotTrainedOn) {
  const std::string other = path("other.json").string();
  ASSERT_EQ(run_program({"data", "split", data(), "--seed", "5", "--out", other}).code, 0);
  for (const std::string& used : {split(), other}) {
    const Outcome outcome = run_program({"evaluate", model(), "--data", data(), "--split", used,
                                         "--out", path("warned").string(), "--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(contains(outcome.err, "trained on another split file"), used == other) << outcome.err;
  }
}

TEST_F(Surroundings, EvaluateRefusesASplitOfOtherCases) {
  const fs::path fewer = path("fewer");
  test::copy_pairs(fewer, 4);
  const Outcome outcome = run_program({"evaluate", model(), "--data", fewer.string(), "--split",
                                       split(), "--out", path("fewer out").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, split())) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "is not in")) << outcome.err;
}

TEST_F(Surroundings, AWrongConfigurationLeavesNoFolder) {
  write_file(path("wrong.toml"), "[run]\nepocs = 2\n");
  const std::vector<std::pair<Words, std::string>> mistakes{
      {{"--config", path("wrong.toml").string()}, "did you mean run.epochs?"},
      {{"--preset", "nanno"}, "did you mean nano?"},
      {{"--set", "optimizer.rate=1e30"}, "out of range"},
      {{"--set", "run.batch=few"}, "run.batch"}};
  for (const auto& [more, hint] : mistakes) {
    Words words{"train", "--data", data(), "--split", split(), "--out", path("wrong").string()};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_program(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, hint)) << outcome.err;
    EXPECT_FALSE(fs::exists(path("wrong"))) << hint;
  }
}

// The whole way with relative paths that a shell, a URL or ASCII would stumble over.
TEST_F(Surroundings, NamesMayHaveBlanksAndUmlauts) {
  const fs::path folder = path("Größe & Maß 1");
  fs::create_directories(folder);
  fs::copy(data(), folder / "Bilder 'neu'", fs::copy_options::recursive);
  test::Start here;
  here.folder = folder;
  const std::vector<Words> commands{
      {"data", "check", "Bilder 'neu'"},
      {"data", "split", "Bilder 'neu'", "--ratios", "0.5,0.25,0.25", "--out", "Teilung ä.json"},
      {"train", "--data", "Bilder 'neu'", "--split", "Teilung ä.json", "--preset", "nano", "--size",
       "32", "--epochs", "1", "--out", "Läufe/erster Lauf"},
      {"evaluate", "Läufe/erster Lauf/best.model", "--data", "Bilder 'neu'", "--split",
       "Teilung ä.json", "--out", "Güte"},
      {"predict", "Läufe/erster Lauf/best.model", "Bilder 'neu'/images", "--out", "Masken ü"}};
  for (const Words& words : commands) {
    const Outcome outcome = run_program(words, here);
    EXPECT_EQ(outcome.code, 0) << words[0] << ": " << outcome.err;
  }
  EXPECT_TRUE(fs::exists(folder / "Läufe/erster Lauf/last.ckpt"));
  EXPECT_TRUE(fs::exists(folder / "Güte/report.html"));
  EXPECT_EQ(json::parse(read_file(folder / "Masken ü/manifest.json")).at("images").size(), 12U);
}

TEST_F(Surroundings, MachinesReadStdoutAndNothingElseIsInIt) {
  const Outcome outcome = run_program(world->training("for machines", {"--epochs", "1", "--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("epochs"), 1);
  EXPECT_TRUE(contains(outcome.err, "training step"));
  Words quiet = world->training("quietly", {"--epochs", "1", "--json", "--quiet"});
  const Outcome silent = run_program(quiet);
  EXPECT_EQ(silent.err, "");
  EXPECT_EQ(json::parse(silent.out).at("epochs"), 1);
}

// Without the standard streams the first files opened get their numbers, and what is printed would
// go into them.
TEST_F(Surroundings, ClosedStreamsSpoilNoFile) {
  const std::vector<std::vector<int>> closings{{2}, {1, 2}, {0, 1, 2}};
  for (const std::vector<int>& closed : closings) {
    const std::string run = "closed" + std::to_string(closed.size());
    test::Start start;
    start.closed = closed;
    EXPECT_EQ(run_program(world->training(run, {"--epochs", "2"}), start).code, 0);
    for (const std::string file :
         {"config.toml", "split.json", "best.model", "last.ckpt", "log.csv", "curves.svg"}) {
      EXPECT_EQ(read_file(path(run) / file), read_file(path("run") / file)) << run << " " << file;
    }
    EXPECT_TRUE(json::accept(read_file(path(run) / "run.json")));
  }
}

TEST_F(Surroundings, APredictionStoppedByCtrlCSaysHowFarItCame) {
  const fs::path many = path("many");
  fs::create_directories(many);
  const fs::path image = fs::directory_iterator(world->data() / "images")->path();
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) {
    fs::create_hard_link(image, many / (std::to_string(i) + image.extension().string()));
  }
  const fs::path out = path("stopped");
  test::Process process({"predict", model(), many.string(), "--out", out.string()});
  ASSERT_TRUE(process.until([&] { return fs::exists(out / "0.png"); })) << process.err();
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "stopped by Ctrl-C")) << outcome.err;
  const json manifest = json::parse(read_file(out / "manifest.json"));
  EXPECT_EQ(manifest.at("complete"), false);
  std::set<std::string> there;
  for (const auto& entry : fs::directory_iterator(out)) there.insert(entry.path().filename());
  EXPECT_EQ(there.size(), manifest.at("images").size() + 1) << "every mask is in the manifest";
  EXPECT_LT(there.size(), static_cast<std::size_t>(count));
}

}  // namespace
}  // namespace medurwkv
