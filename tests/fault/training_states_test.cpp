// Training with every state that a run can have beside weights and moments (moving average, frozen
// tensors, accumulated gradients, patience, heads of deep supervision): broken off and resumed it
// ends with the bits of an unbroken run, and each does what it says.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "core/version.h"
#include "support/demo.h"
#include "support/process.h"
#include "weights/model_file.h"
#include "weights/tensor_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;
using test::operator+;
using weights::TensorFile;

class TrainingStates : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world = std::make_unique<test::SmallWorld>();
    first = world->trained("first", {"--epochs", "1"});
    unbroken = test::trained_once(world->root(), "unbroken", everything("unbroken"));
  }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override {
    ASSERT_EQ(first.code, 0) << first.err;
    ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  }

  static fs::path path(const std::string& name) { return world->root() / name; }
  static std::string encoder() { return path("first/best.model").string(); }

  /// Six images in batches of two: a pass is three batches, an epoch two steps of two, four epochs,
  /// the encoder frozen for two.
  static std::vector<std::string> everything(const std::string& run) {
    std::vector<std::string> words =
        world->training(run, {"--epochs", "4", "--pretrained", encoder()});
    for (const char* setting :
         {"encoder.frozen_epochs=2", "encoder.rate_decay=0.5", "optimizer.accumulate=2",
          "optimizer.ema=0.9", "run.epoch_steps=2", "run.patience=50", "loss.deep_supervision=true",
          "loss.focal=0.5", "loss.tversky=0.5", "loss.boundary=0.01",
          "loss.class_weights=[0.5, 2]"}) {
      words.insert(words.end(), {"--set", setting});
    }
    return words;
  }

  static void expect_same(const std::string& run, const std::string& other) {
    for (const std::string file :
         {"last.ckpt", "best.model", "log.csv", "curves.svg", "validation.png", "best.png"}) {
      EXPECT_EQ(sha256_file(path(run) / file), sha256_file(path(other) / file)) << file;
    }
  }

  static std::unique_ptr<test::SmallWorld> world;
  static Outcome first, unbroken;
};
std::unique_ptr<test::SmallWorld> TrainingStates::world;
Outcome TrainingStates::first;
Outcome TrainingStates::unbroken;

TEST_F(TrainingStates, FourEpochsAreTwoAndTwoBitForBit) {
  {
    Process process(everything("halves"));
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 130);
  }
  const Outcome outcome = run_program(everything("halves") + std::vector<std::string>{"--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_same("halves", "unbroken");
}

/// A whole number from the environment.
std::optional<std::uint32_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return static_cast<std::uint32_t>(std::stoul(text));
}

// MEDURWKV_KILLS says how often (scripts/test-long: 20). The moments come from a seed that is drawn
// anew and printed; MEDURWKV_KILL_SEED gives it.
TEST_F(TrainingStates, KilledAtRandomMomentsItEndsWithTheSameBits) {
  const std::uint32_t kills = number_in("MEDURWKV_KILLS").value_or(3);
  const std::uint32_t seed = number_in("MEDURWKV_KILL_SEED").value_or(std::random_device()());
  std::cout << "killed at moments of MEDURWKV_KILL_SEED=" << seed << '\n';
  std::minstd_rand random(seed);
  std::uniform_real_distribution<double> moment(0, 1.1 * unbroken.seconds);
  const std::vector<std::string> saving{"--save-every", "0.00001"};
  std::vector<std::string> words = everything("killed") + saving;
  for (std::uint32_t i = 0; i < kills; ++i) {
    Process process(words);
    const double seconds = moment(random);
    const auto start = std::chrono::steady_clock::now();
    process.until([&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() >
             seconds;
    });
    process.send(SIGKILL);
    const Outcome outcome = process.wait();
    ASSERT_TRUE(outcome.signal == SIGKILL || outcome.code == 0)
        << "kill " << i << ": " << outcome.err;
    // A run whose last epochs are done is begun anew, so that every kill meets one at work.
    if (outcome.code == 0) {
      expect_same("killed", "unbroken");
      fs::remove_all(path("killed"));
    }
    words = everything("killed") + saving;
    if (fs::exists(path("killed/config.toml"))) words.emplace_back("--resume");
  }
  const Outcome outcome = run_program(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_same("killed", "unbroken");
}

TEST_F(TrainingStates, FrozenTensorsStayAsTheFileHasThem) {
  const Outcome outcome =
      run_program(world->training("frozen", {"--epochs", "1", "--pretrained", encoder()}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "stay as they are for 5 epochs")) << outcome.err;
  const TensorFile before = TensorFile::read(encoder());
  const TensorFile after = TensorFile::read(path("frozen/last.ckpt"));
  int of_encoder = 0;
  int others = 0;
  for (const weights::TensorInfo& tensor : before.tensors()) {
    const bool same = before.values(tensor.name) == after.values(tensor.name);
    const std::string moment = "optimizer.moment1." + tensor.name;
    if (tensor.name.starts_with("encoder.")) {
      EXPECT_TRUE(same) << tensor.name;
      EXPECT_FALSE(after.contains(moment)) << tensor.name;
      ++of_encoder;
    } else {
      EXPECT_FALSE(same) << tensor.name;
      EXPECT_TRUE(after.contains(moment)) << tensor.name;
      ++others;
    }
  }
  EXPECT_GT(of_encoder, 100);
  EXPECT_GT(others, 50);
  // In the run that frees them after two epochs they move and have moments.
  const TensorFile freed = TensorFile::read(path("unbroken/last.ckpt"));
  for (const std::string name : {"encoder.layers.3.att.key.weight", "encoder.spm.stem.1.weight",
                                 "encoder.spm.stem.1.running_mean"}) {
    EXPECT_NE(freed.values(name), before.values(name)) << name;
  }
  EXPECT_TRUE(freed.contains("optimizer.moment1.encoder.pos_embed"));
}

TEST_F(TrainingStates, TheModelIsTheAverageAndHasNoHeadsOfTrainingAlone) {
  const TensorFile model = TensorFile::read(path("unbroken/best.model"));
  const TensorFile checkpoint = TensorFile::read(path("unbroken/last.ckpt"));
  EXPECT_FALSE(model.contains("deep_supervision.0.weight"));
  EXPECT_TRUE(checkpoint.contains("deep_supervision.0.weight"));
  const std::string name = "head.classify.weight";
  EXPECT_NE(checkpoint.values("average." + name), checkpoint.values(name));
  const json run = json::parse(read_file(path("unbroken/run.json")));
  const std::vector<std::string> rows = split(trim(read_file(path("unbroken/log.csv"))), '\n');
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(split(rows[1], ',').size(), 9U);
  EXPECT_EQ(run.at("finished_steps"), 8);
}

TEST_F(TrainingStates, PatienceEndsTheRunAndItStaysEnded) {
  // A rate of 0 changes nothing: after the first epoch none is better.
  const std::vector<std::string> words = world->training(
      "patient", {"--epochs", "50", "--set", "run.patience=2", "--set", "optimizer.rate=0"});
  const Outcome outcome = run_program(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "run.patience")) << outcome.err;
  const std::string before = sha256_file(path("patient/last.ckpt"));
  const std::string log = read_file(path("patient/log.csv"));
  EXPECT_LT(split(log, '\n').size(), 30U) << log;
  ASSERT_EQ(run_program(words + std::vector<std::string>{"--resume"}).code, 0);
  EXPECT_EQ(sha256_file(path("patient/last.ckpt")), before);
  EXPECT_EQ(read_file(path("patient/log.csv")), log);
}

// The same network and data in two processes: bits may differ, so it is said, and it goes on.
TEST_F(TrainingStates, AnotherEnvironmentIsSaidAndGoesOn) {
  const std::vector<std::string> words = world->training("moved", {"--epochs", "3"});
  {
    Process process(words, {.environment = {{"MEDURWKV_ISA", "sse"}}});
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 1/"); }));
    process.send(SIGTERM);
    ASSERT_EQ(process.wait().code, 143);
  }
  const Outcome outcome = run_program({"train", "--data", world->data().string(), "--out",
                                       path("moved").string(), "--threads", "2", "--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"another environment", "\"sse\"", "\"threads\":1", "\"threads\":2"}) {
    EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
  }
}

/// The checkpoint with what `change` makes of its metadata.
template <class Change>
void rewrite(const fs::path& checkpoint, const Change& change) {
  const fs::path old = checkpoint.string() + ".old";
  fs::rename(checkpoint, old);
  const TensorFile file = weights::read_checked(old);
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& one : file.tensors()) {
    tensors.push_back(
        {.name = one.name, .type = one.type, .shape = one.shape, .data = file.data(one)});
  }
  weights::Metadata metadata = file.metadata();
  json state = json::parse(metadata.at("checkpoint"));
  change(metadata, state);
  metadata["checkpoint"] = state.dump();
  weights::write_model_file(checkpoint, tensors, std::move(metadata));
}

/// As if other versions had written it.
void write_as_others(const fs::path& checkpoint) {
  rewrite(checkpoint, [](weights::Metadata& /*metadata*/, json& state) {
    json& environment = state.at("started_with").at("environment");
    ASSERT_TRUE(environment.contains("medurwkv") && environment.contains("libtorch"));
    environment["medurwkv"] = "0.0.9";
    environment["libtorch"] = "1.2.3";
  });
}

/// As model format 1 had it: one figure, validation Dice, -1 where nothing was judged.
void write_as_format_1(const fs::path& checkpoint) {
  rewrite(checkpoint, [](weights::Metadata& metadata, json& all) {
    ASSERT_EQ(metadata.at("format_version"), "2");
    metadata["format_version"] = "1";
    json& state = all.at("state");
    state["best_dice"] = state.at("best").is_null() ? json(-1) : state.at("best");
    state.erase("best");
    for (json& row : state.at("rows")) row[4] = json(row[4].at(0));
  });
}

// What an earlier version has begun ends as if this one had begun it.
TEST_F(TrainingStates, ARunOfModelFormat1GoesOnToTheSameBits) {
  for (const char* name : {"now", "earlier"}) {
    ASSERT_EQ(run_program(world->training(name, {"--epochs", "2"})).code, 0);
    if (std::string(name) == "earlier") write_as_format_1(path("earlier/last.ckpt"));
    const Outcome outcome =
        run_program({"train", "--data", world->data().string(), "--out", path(name).string(),
                     "--threads", "1", "--resume", "--epochs", "4"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  EXPECT_EQ(read_file(path("earlier/best.model")), read_file(path("now/best.model")));
  EXPECT_EQ(read_file(path("earlier/log.csv")), read_file(path("now/log.csv")));
}

TEST_F(TrainingStates, OtherVersionsAreSaidAndGoOn) {
  ASSERT_EQ(run_program(world->training("aged", {"--epochs", "1"})).code, 0);
  write_as_others(path("aged/last.ckpt"));
  const Outcome outcome = run_program(
      {"train", "--data", world->data().string(), "--out", path("aged").string(), "--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"another environment", "\"0.0.9\"", "\"1.2.3\"", medurwkv::version}) {
    EXPECT_TRUE(contains(outcome.err, part)) << part << ": " << outcome.err;
  }
}

TEST_F(TrainingStates, RegionsTrainJudgeAndPredict) {
  const Outcome outcome =
      run_program(world->training("regions", {"--epochs", "2", "--set", "loss.regions=separate"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string model = path("regions/best.model").string();
  EXPECT_EQ(TensorFile::read(model).info("head.classify.bias").shape, (Shape{1}));
  const Outcome evaluated =
      run_program({"evaluate", model, "--data", world->data().string(), "--split",
                   world->split().string(), "--out", path("judged").string(), "--json"});
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  const Outcome inspected = run_program({"inspect", model});
  EXPECT_EQ(inspected.code, 0) << inspected.err;
}

TEST_F(TrainingStates, Bfloat16TrainsNearFloat32AndSaysWhenItDoesNotPay) {
  const auto loss_of = [&](const std::string& precision) {
    const Outcome outcome =
        run_program(world->training(precision, {"--epochs", "2", "--precision", precision}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::ifstream processor("/proc/cpuinfo");
    const std::string features((std::istreambuf_iterator<char>(processor)), {});
    EXPECT_EQ(contains(outcome.err, "warning: bfloat16"),
              precision == "bfloat16" && !contains(features, "amx_bf16"))
        << outcome.err;
    const std::vector<std::string> rows = split(trim(read_file(path(precision) / "log.csv")), '\n');
    return std::stod(split(rows.back(), ',').at(2));
  };
  const double exact = loss_of("float32");
  const double rough = loss_of("bfloat16");
  EXPECT_NE(rough, exact);
  EXPECT_NEAR(rough, exact, 0.02 * exact);
}

/// The rows of log.csv, without the heading.
std::vector<std::string> log_rows(const fs::path& run) {
  std::vector<std::string> rows = split(trim(read_file(run / "log.csv")), '\n');
  rows.erase(rows.begin());
  return rows;
}

// Three steps an epoch, warm-up over the first; the rate of step s of N is
// 5e-4 min(1, (s + 1) / 3) (1 - s / N)^0.9, of which log.csv has that of each epoch's last.
TEST_F(TrainingStates, AFinishedRunGoesOnToMoreEpochs) {
  ASSERT_EQ(run_program(world->training("raised", {"--epochs", "2"})).code, 0);
  const std::vector<std::string> before = log_rows(path("raised"));
  const Outcome outcome = run_program(world->training("raised", {"--resume", "--epochs", "4"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "raised from 2 to 4")) << outcome.err;
  const std::vector<std::string> rows = log_rows(path("raised"));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(std::vector<std::string>(rows.begin(), rows.begin() + 2), before);
  const auto rate = [&](std::size_t row) { return std::stod(split(rows.at(row), ',').at(1)); };
  EXPECT_NEAR(rate(1), 5e-4 * std::pow(1 - 5.0 / 6, 0.9), 1e-9) << "of two epochs";
  EXPECT_NEAR(rate(2), 5e-4 * std::pow(1 - 8.0 / 12, 0.9), 1e-9) << "of four";
  EXPECT_NEAR(rate(3), 5e-4 * std::pow(1 - 11.0 / 12, 0.9), 1e-9);
  const std::string configuration = read_file(path("raised/config.toml"));
  EXPECT_TRUE(contains(configuration, "\nepochs = 4\n")) << configuration;
  EXPECT_TRUE(contains(configuration, "# Up to step 6 run.epochs was 2")) << configuration;
  const json record = json::parse(read_file(path("raised/run.json")));
  EXPECT_EQ(record.at("total_steps"), 12);
  EXPECT_EQ(record.at("raised_epochs"), json::parse(R"([{"step": 6, "from": 2, "to": 4}])"));
  // What it says holds: it has ended, goes on again, and is not made shorter.
  const std::vector<std::string> plain{
      "train",     "--data", world->data().string(), "--out", path("raised").string(), "--resume",
      "--threads", "1"};
  EXPECT_EQ(run_program(plain).code, 0);
  EXPECT_EQ(log_rows(path("raised")), rows);
  EXPECT_EQ(run_program(plain + std::vector<std::string>{"--epochs", "3"}).code, 2);
  ASSERT_EQ(run_program(plain + std::vector<std::string>{"--epochs", "5"}).code, 0);
  EXPECT_EQ(log_rows(path("raised")).size(), 5U);
  EXPECT_EQ(json::parse(read_file(path("raised/run.json"))).at("raised_epochs").size(), 2U);
}

// The schedule is a function of step and total: a run that is given more epochs before its first
// step ends with the bits of one that had them from the start.
TEST_F(TrainingStates, MoreEpochsFromTheFirstStepOnAreThoseOfAnotherRun) {
  ASSERT_EQ(run_program(world->training("grown", {"--epochs", "1"})).code, 0);
  fs::remove(path("grown/last.ckpt"));  // as if killed before it was first saved
  ASSERT_EQ(run_program(world->training("grown", {"--epochs", "2", "--resume"})).code, 0);
  ASSERT_EQ(run_program(world->training("two", {"--epochs", "2"})).code, 0);
  expect_same("grown", "two");
  EXPECT_EQ(read_file(path("grown/config.toml")), read_file(path("two/config.toml")));
}

TEST_F(TrainingStates, ASeriesGoesOnToMoreEpochs) {
  ASSERT_EQ(run_program(world->training("longer", {"--epochs", "1", "--seeds", "2"})).code, 0);
  const std::vector<std::string> plain{
      "train",     "--data", world->data().string(), "--out", path("longer").string(), "--resume",
      "--threads", "1"};
  const Outcome refused =
      run_program(plain + std::vector<std::string>{"--epochs", "2", "--batch", "3"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(contains(refused.err, "run.batch = 2, not 3")) << refused.err;
  ASSERT_EQ(run_program(plain).code, 0);
  EXPECT_EQ(log_rows(path("longer/seed0")).size(), 1U) << "what was refused changed nothing";
  ASSERT_EQ(run_program(plain + std::vector<std::string>{"--epochs", "2"}).code, 0);
  ASSERT_EQ(run_program(plain).code, 0);
  for (const char* run : {"longer/seed0", "longer/seed1"}) {
    EXPECT_EQ(log_rows(path(run)).size(), 2U) << run;
  }
}

// Two seeds in one call are the two runs by themselves; the second is broken off and resumed.
TEST_F(TrainingStates, SeedsMakeARunEach) {
  const std::vector<std::string> words =
      world->training("seeds", {"--epochs", "2", "--seed", "5", "--seeds", "2"});
  {
    Process process(words);
    ASSERT_TRUE(process.until([&] {
      return contains(process.err(), "--- seed6") && fs::exists(path("seeds/seed6/log.csv"));
    }));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 130);
  }
  const Outcome outcome = run_program({"train", "--data", world->data().string(), "--out",
                                       path("seeds").string(), "--threads", "1", "--resume"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "seed5: has ended before")) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "mean of 2")) << outcome.out;
  ASSERT_EQ(run_program(world->training("alone", {"--epochs", "2", "--seed", "6"})).code, 0);
  expect_same("seeds/seed6", "alone");
  EXPECT_NE(sha256_file(path("seeds/seed5/best.model")), sha256_file(path("alone/best.model")));
  EXPECT_EQ(run_program(words).code, 2) << "holds runs already";
}

}  // namespace
}  // namespace medurwkv
