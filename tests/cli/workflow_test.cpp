// The commands one after another on a small data set, as the README shows them; and what they say
// when something in the folder or on the command line is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/process.h"
#include "support/trained_world.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

using Workflow = test::TrainedWorld;

TEST_F(Workflow, TrainingLeavesACompleteFolder) {
  for (const char* file : {"best.model", "last.ckpt", "config.toml", "split.json", "log.csv",
                           "curves.svg", "run.json"}) {
    EXPECT_TRUE(fs::exists(path("run") / file)) << file;
  }
  EXPECT_TRUE(contains(trained.out, "best.model")) << trained.out;
  EXPECT_TRUE(contains(trained.err, "epoch 2/2")) << trained.err;
  EXPECT_EQ(read_file(path("run/split.json")), read_file(world->split()));
  // The configuration as written trains the same network again, to the same bits.
  const Outcome again = run_program({"train", "--data", data(), "--split", split(), "--config",
                                     path("run/config.toml").string(), "--threads", "1", "--out",
                                     path("again").string(), "--quiet"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.err, "") << "quiet";
  EXPECT_EQ(read_file(path("again/best.model")), read_file(model()));
}

TEST_F(Workflow, EvaluateWritesScoresThatAgree) {
  const Outcome outcome = run_program({"evaluate", model(), "--data", data(), "--split", split(),
                                       "--out", path("evaluation").string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json summary = json::parse(outcome.out);
  EXPECT_EQ(summary, json::parse(read_file(path("evaluation/summary.json"))));
  const std::string cases = read_file(path("evaluation/cases.csv"));
  EXPECT_EQ(static_cast<std::size_t>(std::count(cases.begin(), cases.end(), '\n')),
            1 + summary.at("cases").get<std::size_t>());
  EXPECT_TRUE(contains(read_file(path("evaluation/report.html")), "</html>"));
  EXPECT_TRUE(contains(outcome.err, "test part")) << "evaluate says that it touches the test part";
}

TEST_F(Workflow, EvaluateRefusesAChangedImage) {
  const fs::path copy = path("changed");
  fs::copy(world->data(), copy, fs::copy_options::recursive);
  const fs::path image = fs::directory_iterator(copy / "images")->path();
  std::ofstream(image, std::ios::app | std::ios::binary) << "x";
  const Outcome outcome = run_program({"evaluate", model(), "--data", copy.string(), "--split",
                                       split(), "--out", path("refused").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, split())) << outcome.err;
  EXPECT_FALSE(fs::exists(path("refused/report.html")));
}

TEST_F(Workflow, PredictGoesOnAfterABadFile) {
  const fs::path input = path("in coming/größe");  // a space and letters beyond ASCII
  fs::create_directories(input);
  const fs::path good = fs::directory_iterator(world->data() / "images")->path();
  fs::copy_file(good, input / "good.jpg");
  std::ofstream(input / "broken.png") << "not an image";
  const fs::path out = path("out going");
  const Outcome outcome =
      run_program({"predict", model(), input.string(), "--overlay", "--out", out.string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "broken.png")) << outcome.err;
  EXPECT_TRUE(fs::exists(out / "good.png"));
  EXPECT_TRUE(fs::exists(out / "good_overlay.png"));
  const json manifest = json::parse(read_file(out / "manifest.json"));
  EXPECT_TRUE(contains(manifest.dump(), sha256_file(out / "good.png"))) << manifest.dump(2);
}

TEST_F(Workflow, PredictIsTheSameOnAnyRun) {
  const auto predicted = [&](const std::string& name) {
    const Outcome outcome = run_program({"predict", model(), (world->data() / "images").string(),
                                         "--out", path(name).string(), "--quiet"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return read_file(path(name) / "manifest.json");
  };
  EXPECT_EQ(predicted("first"), predicted("second"));
}

TEST_F(Workflow, InspectReadsTheModel) {
  const Outcome outcome = run_program({"inspect", model(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer.at("parameters"), 134214);
  EXPECT_TRUE(contains(answer.dump(), sha256_file(model())));
}

TEST_F(Workflow, SplitIsAFunctionOfItsSeed) {
  const auto split_with = [&](const std::string& seed, const std::string& name) {
    const Outcome outcome =
        run_program({"data", "split", data(), "--seed", seed, "--out", path(name).string()});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return read_file(path(name));
  };
  const std::string first = split_with("7", "a.json");
  EXPECT_EQ(first, split_with("7", "b.json"));
  EXPECT_NE(first, split_with("8", "c.json"));
  const Outcome there = run_program({"data", "split", data(), "--out", path("a.json").string()});
  EXPECT_EQ(there.code, 2) << "an existing split is not overwritten";
  EXPECT_EQ(read_file(path("a.json")), first);
}

TEST_F(Workflow, CheckTellsErrorsByItsExitCode) {
  const Outcome clean = run_program({"data", "check", data(), "--json"});
  EXPECT_EQ(clean.code, 0) << clean.err;
  EXPECT_EQ(json::parse(clean.out).at("pairs"), 12);
  const fs::path copy = path("faulty");
  fs::copy(world->data(), copy, fs::copy_options::recursive);
  const fs::path mask = fs::directory_iterator(copy / "masks")->path();
  fs::remove(mask);
  const Outcome faulty = run_program({"data", "check", copy.string()});
  EXPECT_EQ(faulty.code, 1);
  EXPECT_TRUE(contains(faulty.out + faulty.err, mask.stem().string().substr(0, 12)))
      << faulty.out << faulty.err;
  EXPECT_EQ(run_program({"data", "check", path("nowhere").string()}).code, 1);
}

TEST_F(Workflow, ATrainingIsNotOverwritten) {
  const std::string before = sha256_file(path("run/last.ckpt"));
  const Outcome outcome = run_program(world->training("run", {"--epochs", "2"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, "--resume")) << outcome.err;
  EXPECT_EQ(sha256_file(path("run/last.ckpt")), before);
}

/// The words of a message from `after` up to `before`.
std::string between(const std::string& text, const std::string& after, const std::string& before) {
  const std::size_t start = text.find(after);
  if (start == std::string::npos) return {};
  const std::size_t begin = start + after.size();
  return text.substr(begin, text.find(before, begin) - begin);
}

// The message names the setting, its value in the run and the requested one. The options that it
// offers for going on from the weights work as written.
TEST_F(Workflow, ResumeSaysWhichSettingIsAnother) {
  const std::string before = sha256_file(path("run/last.ckpt"));
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases{
      {{"run.batch=3"}, {"run.batch = 2, not 3", "that setting"}},
      {{"run.epochs=1"}, {"run.epochs = 2, not 1", "not lowered"}},
      {{"network.preset=nanopost"}, {"network.preset = 'nano', not 'nanopost'"}},
      {{"run.batch=3", "optimizer.rate=0.01"},
       {"run.batch = 2, not 3", "optimizer.rate = 5e-04, not 0.01", "these settings"}},
      {{"input.augment=none"}, {"input.augment = 'medium', not 'none'", " more"}}};
  for (const auto& [settings, parts] : cases) {
    std::vector<std::string> other;
    for (const std::string& one : settings) other.insert(other.end(), {"--set", one});
    std::vector<std::string> words{"--epochs", "2", "--resume"};
    words.insert(words.end(), other.begin(), other.end());
    const Outcome outcome = run_program(world->training("run", words));
    EXPECT_EQ(outcome.code, 2);
    for (const std::string& part : parts) {
      EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
    }
    EXPECT_TRUE(contains(outcome.err, "--out ANOTHER")) << outcome.err;
    const std::string weights = between(outcome.err, "--init ", " --out");
    const bool same_network = !settings.front().starts_with("network.");
    EXPECT_EQ(!weights.empty(), same_network) << outcome.err;
    if (!same_network) continue;
    std::vector<std::string> anew{"--init", weights, "--epochs", "1"};
    anew.insert(anew.end(), other.begin(), other.end());
    fs::remove_all(path("anew"));
    EXPECT_EQ(run_program(world->training("anew", anew)).code, 0) << outcome.err;
  }
  EXPECT_EQ(sha256_file(path("run/last.ckpt")), before);
}

TEST_F(Workflow, ResumeSaysThatTheSplitIsAnother) {
  const fs::path other = path("other_split.json");
  ASSERT_EQ(run_program({"data", "split", data(), "--seed", "9", "--out", other.string()}).code, 0);
  const Outcome outcome =
      run_program({"train", "--data", data(), "--split", other.string(), "--resume", "--out",
                   path("run").string(), "--threads", "1"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_TRUE(contains(outcome.err, path("run/split.json").string())) << outcome.err;
  EXPECT_EQ(run_program({"train", "--data", data(), "--resume", "--out", path("run").string(),
                         "--threads", "1"})
                .code,
            0)
      << "without --split, as the message says";
}

TEST_F(Workflow, DoctorTestsItself) {
  const Outcome outcome = run_program({"doctor", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer.at("self_test"), "passed");
  EXPECT_TRUE(answer.at("training_library").contains("libtorch"));
}

}  // namespace
}  // namespace medurwkv
