// How a command ends when something else ends it, and what the next one finds: hang-ups, files that
// may not grow, temporary files of killed writers, refused and damaged runs.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "support/demo.h"
#include "support/process.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;
using test::Words;
using test::operator+;

class Ends : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world = std::make_unique<test::SmallWorld>();
    unbroken = world->trained("unbroken", {"--epochs", "4"});
  }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override { ASSERT_EQ(unbroken.code, 0) << unbroken.err; }

  static fs::path path(const std::string& name) { return world->root() / name; }
  static std::string file(const std::string& name) { return path(name).string(); }
  static Words training(const std::string& run) { return world->training(run, {"--epochs", "4"}); }

  static void expect_unbroken(const std::string& run) {
    for (const char* name : {"last.ckpt", "best.model", "log.csv", "config.toml", "split.json"}) {
      EXPECT_EQ(read_file(path(run) / name), read_file(path("unbroken") / name))
          << run << " " << name;
    }
  }

  /// A run that was stopped after its second epoch.
  static void stopped(const std::string& run, int signal = SIGTERM, int code = 143) {
    fs::remove_all(path(run));
    Process process(training(run));
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
    process.send(signal);
    const Outcome outcome = process.wait();
    ASSERT_EQ(outcome.code, code) << outcome.err;
  }

  /// The program started by a shell that has obeyed `command`.
  static test::Start after(const std::string& command) {
    test::Start start;
    start.within = {"/bin/sh", "-c", command + "; exec \"$0\" \"$@\""};
    return start;
  }

  static std::unique_ptr<test::SmallWorld> world;
  static Outcome unbroken;
};
std::unique_ptr<test::SmallWorld> Ends::world;
Outcome Ends::unbroken;

TEST_F(Ends, AHangUpSavesAndEndsWith129) {
  stopped("hung up", SIGHUP, 129);
  const Outcome outcome = run_program(training("hung up") + Words{"--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_unbroken("hung up");
}

// As nohup and a shell's & start a program.
TEST_F(Ends, ASignalIgnoredAtTheStartStaysIgnored) {
  for (const int signal : {SIGHUP, SIGINT}) {
    const std::string run = "ignored" + std::to_string(signal);
    const test::Start start = after(concat("trap '' ", signal));
    Process process(training(run), start);
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 1/"); }));
    process.send(signal);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    expect_unbroken(run);
  }
}

TEST_F(Ends, AFileThatMayNotGrowIsNamed) {
  const test::Start start = after("ulimit -f 8");
  const Outcome trained = run_program(training("small"), start);
  EXPECT_EQ(trained.code, 1) << trained.signal << trained.err;
  EXPECT_TRUE(contains(trained.err, file("small"))) << trained.err;
  EXPECT_TRUE(contains(trained.err, "File too large")) << trained.err;
  const Outcome packed =
      run_program({"data", "pack", world->data().string(), "--out", file("small.pack")}, start);
  EXPECT_EQ(packed.code, 1) << packed.signal << packed.err;
  EXPECT_TRUE(contains(packed.err, "small.pack: cannot write: File too large")) << packed.err;
  EXPECT_FALSE(fs::exists(path("small.pack")));
}

// What a killed writer left beside its file goes with the next run that writes there.
TEST_F(Ends, TemporaryFilesOfKilledRunsGo) {
  const std::string data = world->data().string();
  const std::string model = file("unbroken/best.model");
  std::string stem;
  for (const auto& entry : fs::directory_iterator(world->data() / "images")) {
    stem = std::max(stem, entry.path().stem().string());
  }
  struct Writer {
    Words words;
    std::vector<std::string> files;
  };
  const std::vector<Writer> writers{
      {{"predict", model, data + "/images", "--overlay", "--out", file("t/masks")},
       {"t/masks/manifest.json", "t/masks/" + stem + ".png", "t/masks/" + stem + "_overlay.png"}},
      {{"evaluate", model, "--data", data, "--out", file("t/judged"), "--force"},
       {"t/judged/summary.json", "t/judged/report.html", "t/judged/masks/" + stem + ".png"}},
      {{"evaluate", model, "--data", data, "--out", file("t/judged too"), "--force"},
       {"t/judged too/cases.csv"}},
      {{"compare", file("t/judged"), file("t/judged too"), "--out", file("t/compared")},
       {"t/compared/comparison.html", "t/compared/comparison.json"}},
      {{"data", "split", data, "--out", file("t/split.json")}, {"t/split.json"}},
      {{"data", "pack", data, "--out", file("t/set.pack")}, {"t/set.pack"}},
      {{"data", "preview", data, "--size", "32", "--out", file("t/sheet.png")}, {"t/sheet.png"}},
      {{"convert", model, file("t/model.pth")}, {"t/model.pth"}},
      {training("t/run"), {"t/run/last.ckpt", "t/run/config.toml", "t/run/log.csv"}}};
  for (const Writer& writer : writers) {
    std::vector<fs::path> left;
    for (const std::string& one : writer.files) {
      const fs::path whole = path(one);
      fs::create_directories(whole.parent_path());
      left.push_back(whole.parent_path() / ("." + whole.filename().string() + ".4194304.tmp"));
      write_file(left.back(), "half");
    }
    const fs::path other = left.front().parent_path() / ".notes.4194304.tmp";
    write_file(other, "somebody's");
    const Outcome outcome = run_program(writer.words);
    EXPECT_EQ(outcome.code, 0) << writer.words[0] << ": " << outcome.err;
    for (const fs::path& one : left) EXPECT_FALSE(fs::exists(one)) << writer.words[0] << " " << one;
    EXPECT_TRUE(fs::exists(other)) << "what no command of ours writes is not ours";
  }
}

TEST_F(Ends, ARefusedTrainingLeavesNoFolder) {
  write_file(path("no.safetensors"), "no weights");
  const std::vector<Words> refused{
      {"--memory", "0.05"},
      {"--pretrained", file("no.safetensors")},
      {"--init", file("no.safetensors")},
      {"--preset", "tiny", "--init", file("unbroken/best.model"), "--set", "encoder.key_norm=true"},
      {"--fold", "1"},
      {"--device", "cuda"},
      {"--set", "network.channels=5"},
      {"--seeds", "2", "--memory", "0.001"},
      {"--seeds", "2", "--pretrained", file("no.safetensors")}};
  for (const Words& more : refused) {
    const Outcome outcome =
        run_program(world->training("refused/deep/run", {"--epochs", "1"}) + more);
    if (outcome.code == 0) {  // a machine with CUDA
      fs::remove_all(path("refused"));
      continue;
    }
    EXPECT_FALSE(fs::exists(path("refused"))) << more[0] << " " << more[1] << ": " << outcome.err;
  }
  // A folder that was there is left as it was.
  fs::create_directories(path("there"));
  EXPECT_NE(run_program(world->training("there", {"--memory", "0.001"})).code, 0);
  EXPECT_TRUE(fs::exists(path("there")));
}

// Each file of a run that a resumed one reads, damaged in each way: the message names it and says
// what to do; done, the run ends with the bits of an unbroken one.
TEST_F(Ends, ADamagedFileOfARunIsNamedWithARemedyThatWorks) {
  struct Damage {
    std::string name, remedy;
    void (*apply)(const fs::path& file);
  };
  const auto remove = [](const fs::path& one) { fs::remove(one); };
  const std::vector<Damage> damages{{"run.json", "delete it", remove},
                                    {"config.toml", "delete it", remove}};
  stopped("damaged");
  fs::copy(path("damaged"), path("good"), fs::copy_options::recursive);
  for (const Damage& damage : damages) {
    const std::string whole = read_file(path("good") / damage.name);
    for (const std::string& bytes : {std::string(), whole.substr(0, whole.size() / 2),
                                     std::string("\x01\x02"), std::string("[]")}) {
      fs::remove_all(path("damaged"));
      fs::copy(path("good"), path("damaged"), fs::copy_options::recursive);
      const fs::path damaged = path("damaged") / damage.name;
      write_file(damaged, bytes);
      const Words resume{"train",    "--data", world->data().string(), "--threads", "1",
                         "--resume", "--out",  file("damaged")};
      const Outcome named = run_program(resume);
      EXPECT_EQ(named.code, 1) << damage.name << ": " << named.err;
      EXPECT_TRUE(contains(named.err, damaged.string())) << named.err;
      EXPECT_TRUE(contains(named.err, damage.remedy)) << named.err;
      EXPECT_EQ(read_file(path("damaged/last.ckpt")), read_file(path("good/last.ckpt")));
      damage.apply(damaged);
      const Outcome outcome = run_program(resume);
      ASSERT_EQ(outcome.code, 0) << damage.name << ": " << outcome.err;
      expect_unbroken("damaged");
    }
  }
}

TEST_F(Ends, ADamagedSplitOfARunIsNamedWithARemedyThatWorks) {
  stopped("resplit");
  for (const std::string& bytes : {std::string(), std::string("{}"), std::string("\x01")}) {
    write_file(path("resplit/split.json"), bytes);
    const Words resume{"train",    "--data", world->data().string(), "--threads", "1",
                       "--resume", "--out",  file("resplit")};
    const Outcome named = run_program(resume);
    EXPECT_EQ(named.code, 1) << named.err;
    EXPECT_TRUE(contains(named.err, file("resplit/split.json"))) << named.err;
    EXPECT_TRUE(contains(named.err, "--split FILE")) << named.err;
  }
  const Outcome outcome = run_program(training("resplit") + Words{"--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "resplit/split.json was damaged")) << outcome.err;
  expect_unbroken("resplit");
}

// What last.ckpt holds as well is written anew.
TEST_F(Ends, ADamagedLogIsNamedAndMended) {
  for (const std::string& bytes : {std::string(), std::string("epoch,rate"), std::string("\x01")}) {
    stopped("logged");
    write_file(path("logged/log.csv"), bytes);
    const Outcome outcome = run_program(training("logged") + Words{"--resume"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "logged/log.csv was damaged or gone; written anew"))
        << outcome.err;
    expect_unbroken("logged");
  }
  stopped("logged");
  const Outcome outcome = run_program(training("logged") + Words{"--resume"});
  EXPECT_FALSE(contains(outcome.err, "was damaged")) << outcome.err;
}

// Before the first checkpoint the configuration lies in run.json too.
TEST_F(Ends, ADamagedRunWithoutACheckpointDoesNotBecomeAnother) {
  {
    Process process(training("early"));
    ASSERT_TRUE(process.until([&] { return fs::exists(path("early/config.toml")); }));
    process.send(SIGKILL);
    process.wait();
  }
  fs::remove(path("early/last.ckpt"));  // on a machine that was quicker
  const Words resume{"train",    "--data", world->data().string(), "--threads", "1",
                     "--resume", "--out",  file("early")};
  const std::string record = read_file(path("early/run.json"));
  write_file(path("early/run.json"), "");
  const Outcome without = run_program(resume);
  EXPECT_EQ(without.code, 1) << without.err;
  EXPECT_TRUE(contains(without.err, "run.json")) << without.err;
  EXPECT_TRUE(contains(without.err, "another --out")) << without.err;
  write_file(path("early/run.json"), record);
  write_file(path("early/config.toml"), "");
  const Outcome named = run_program(resume);
  EXPECT_EQ(named.code, 1) << named.err;
  EXPECT_TRUE(contains(named.err, "early/config.toml: is damaged")) << named.err;
  EXPECT_TRUE(contains(named.err, "delete it")) << named.err;
  fs::remove(path("early/config.toml"));
  const Outcome outcome = run_program(resume);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_unbroken("early");
}

TEST_F(Ends, ADamagedSeriesIsNamedWithARemedyThatWorks) {
  const Words series = world->training("series", {"--epochs", "2", "--seeds", "2"});
  ASSERT_EQ(run_program(series).code, 0);
  const std::string record = read_file(path("series/series.json"));
  std::vector<std::string> damaged{"", "{}", record.substr(0, 50)};
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, json>>{{"seeds", 0},
                                                 {"seeds", 2000000000},
                                                 {"config_sha256", 5},
                                                 {"initial_weights", {{"sha256", "x"}}}}) {
    json changed = json::parse(record);
    changed[key] = value;
    damaged.push_back(changed.dump());
  }
  for (const std::string& bytes : damaged) {
    write_file(path("series/series.json"), bytes);
    const Outcome named = run_program(series + Words{"--resume"});
    EXPECT_EQ(named.code, 1) << named.err;
    EXPECT_TRUE(contains(named.err, "series.json: is damaged")) << named.err;
    EXPECT_TRUE(contains(named.err, "delete it")) << named.err;
    fs::remove(path("series/series.json"));
    const Outcome outcome = run_program(series + Words{"--resume"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "mean of 2")) << outcome.out;
  }
  write_file(path("other.toml"), "[run]\nbatch = 3\n");
  const Outcome another = run_program(series + Words{"--resume", "--config", file("other.toml")});
  EXPECT_EQ(another.code, 1) << another.err;
  EXPECT_TRUE(contains(another.err, "other.toml: is not the configuration")) << another.err;
  // What the runs hold, too, or what was empty is written anew.
  const Words bare{"train",    "--data", world->data().string(), "--threads", "1",
                   "--resume", "--out",  file("series")};
  const std::string split = read_file(path("series/split.json"));
  write_file(path("series/split.json"), "");
  write_file(path("series/config.toml"), "[run]\nbatch = 3\n");
  fs::remove(path("series/seed1/config.toml"));
  const Outcome mended = run_program(bare);
  EXPECT_EQ(mended.code, 0) << mended.err;
  EXPECT_TRUE(contains(mended.err, "series/config.toml was damaged")) << mended.err;
  EXPECT_TRUE(contains(mended.err, "series/split.json was damaged")) << mended.err;
  EXPECT_EQ(read_file(path("series/config.toml")), "");
  EXPECT_EQ(read_file(path("series/split.json")), split);
  fs::remove(path("series/config.toml"));
  Words more = bare;
  more.insert(more.end(), {"--epochs", "3"});
  const Outcome outcome = run_program(more);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(path("series/seed1/config.toml")));
}

}  // namespace
}  // namespace medurwkv
