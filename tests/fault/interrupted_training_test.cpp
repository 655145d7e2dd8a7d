// Training that is killed, stopped, starved or disturbed: nothing that was saved is lost, and a
// resumed run ends with the bits of an unbroken one.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "support/demo.h"
#include "support/process.h"
#include "weights/tensor_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::Process;
using test::run_program;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A checkpoint after every step.
const std::vector<std::string> schedule{"--epochs", "6", "--save-every", "0.00001"};

std::vector<std::string> resumed(std::vector<std::string> words) {
  words.emplace_back("--resume");
  return words;
}

class InterruptedTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<test::SmallWorld>();
    unbroken_ = run_program(world_->training("unbroken", schedule));
  }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override { ASSERT_EQ(unbroken_.code, 0) << unbroken_.err; }

  static fs::path path(const std::string& name) { return world_->root() / name; }

  /// Rewrites a checkpoint as one of step 0 whose classifier's weights are all `weight`.
  static void make_unfinished(const fs::path& checkpoint, float weight) {
    const weights::TensorFile file = weights::TensorFile::read(checkpoint);
    weights::Metadata metadata = file.metadata();
    auto state = nlohmann::json::parse(metadata.at("checkpoint"));
    state["state"]["step"] = 0;
    state["state"]["rows"] = nlohmann::json::array();
    metadata["checkpoint"] = state.dump();
    std::vector<weights::TensorView> tensors;
    std::vector<float> poisoned;
    for (const weights::TensorInfo& tensor : file.tensors()) {
      std::string_view bytes = file.data(tensor);
      if (tensor.name == "head.classify.weight") {
        poisoned.assign(tensor.bytes / sizeof(float), weight);
        bytes = as_text(std::span<const float>(poisoned));
      }
      tensors.push_back({tensor.name, tensor.type, tensor.shape, bytes});
    }
    weights::write_tensor_file(checkpoint, tensors, metadata);
  }

  /// Both files that a run ends with are, bit for bit, the unbroken run's.
  static void expect_unbroken(const std::string& run) {
    for (const std::string file : {"last.ckpt", "best.model", "log.csv", "curves.svg"}) {
      EXPECT_EQ(sha256_file(path(run) / file), sha256_file(path("unbroken") / file)) << file;
    }
  }

  static std::unique_ptr<test::SmallWorld> world_;
  static Outcome unbroken_;
};
std::unique_ptr<test::SmallWorld> InterruptedTraining::world_;
Outcome InterruptedTraining::unbroken_;

TEST_F(InterruptedTraining, KilledAnywhereItGoesOnToTheSameBits) {
  for (const std::string epoch : {"epoch 1/", "epoch 3/", "epoch 5/"}) {
    const std::string run = "killed" + epoch.substr(6, 1);
    {
      Process process(world_->training(run, schedule));
      ASSERT_TRUE(process.until([&] { return contains(process.err(), epoch); })) << process.err();
      process.send(SIGKILL);
      EXPECT_EQ(process.wait().signal, SIGKILL);
    }
    const Outcome outcome = run_program(resumed(world_->training(run, schedule)));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "resuming after step")) << outcome.err;
    expect_unbroken(run);
  }
}

TEST_F(InterruptedTraining, CtrlCAndSigtermSaveAndSaySo) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string run = "stopped" + std::to_string(code);
    // Saved seldom: what is there afterwards was saved because of the signal.
    std::vector<std::string> words = world_->training(run, {"--epochs", "6"});
    {
      Process process(words);
      ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
      EXPECT_FALSE(fs::exists(path(run) / "last.ckpt"));
      process.send(signal);
      const Outcome outcome = process.wait();
      EXPECT_EQ(outcome.code, code) << outcome.err;
      EXPECT_TRUE(contains(outcome.err, "stopped by")) << outcome.err;
    }
    EXPECT_TRUE(fs::exists(path(run) / "last.ckpt"));
    const Outcome outcome = run_program(resumed(words));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    expect_unbroken(run);
  }
}

TEST_F(InterruptedTraining, ABrokenCheckpointIsRefused) {
  fs::copy(path("unbroken"), path("broken"), fs::copy_options::recursive);
  const fs::path checkpoint = path("broken") / "last.ckpt";
  const std::string whole = read_file(checkpoint);
  std::string flipped = whole;
  flipped[9] = '\x01';  // within the header
  for (const std::string& bytes :
       {whole.substr(0, whole.size() / 2), whole.substr(0, 5), std::string(), flipped}) {
    write_file(checkpoint, bytes);
    const Outcome outcome = run_program(resumed(world_->training("broken", schedule)));
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "last.ckpt")) << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "bug")) << outcome.err;
    EXPECT_EQ(read_file(checkpoint), bytes) << "it was left as it was";
  }
}

TEST_F(InterruptedTraining, ASecondWriterIsRefused) {
  std::vector<std::string> words = world_->training("shared", {"--epochs", "1000"});
  Process first(words);
  ASSERT_TRUE(first.until([&] { return contains(first.err(), "epoch 1/"); }));
  const Outcome second = run_program(world_->training("shared", {"--epochs", "1000", "--resume"}));
  EXPECT_NE(second.code, 0);
  first.send(SIGINT);
  ASSERT_EQ(first.wait().code, 130);

  Process again(resumed(words));
  ASSERT_TRUE(again.until([&] { return contains(again.err(), "resuming"); }));
  const Outcome third = run_program(resumed(words));
  EXPECT_EQ(third.code, 1);
  EXPECT_TRUE(contains(third.err, "another run writes here")) << third.err;
  again.send(SIGTERM);
  EXPECT_EQ(again.wait().code, 143);
}

// The checkpoint of this network holds about 1.7 MB: a limit below lets everything else be written.
TEST_F(InterruptedTraining, AFullDiskKeepsTheFormerCheckpoint) {
  {
    Process process(world_->training("full", {"--epochs", "6"}));
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 130);
  }
  const std::string before = sha256_file(path("full/last.ckpt"));
  ASSERT_GT(fs::file_size(path("full/last.ckpt")), 1'000'000U);
  const Outcome outcome = Process(resumed(world_->training("full", {"--epochs", "6"})),
                                  {.environment = {}, .folder = {}, .largest_file = 1'000'000})
                              .wait();
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "last.ckpt")) << outcome.err;
  EXPECT_EQ(sha256_file(path("full/last.ckpt")), before);
  for (const auto& entry : fs::directory_iterator(path("full"))) {
    EXPECT_FALSE(contains(entry.path().filename().string(), "tmp")) << entry.path();
  }
  const Outcome rest = run_program(resumed(world_->training("full", {"--epochs", "6"})));
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("full");
}

// A checkpoint whose last layer is about to overflow stands for a run that diverges.
TEST_F(InterruptedTraining, AnInfiniteLossStopsAndKeepsTheCheckpoint) {
  fs::copy(path("unbroken"), path("diverging"), fs::copy_options::recursive);
  const fs::path checkpoint = path("diverging") / "last.ckpt";
  std::vector<std::string> words = world_->training("diverging", {"--epochs", "6"});
  make_unfinished(checkpoint, 3e38F);
  const std::string before = sha256_file(checkpoint);
  const Outcome outcome = run_program(resumed(words));
  ASSERT_EQ(outcome.code, 1) << outcome.err;
  for (const char* part : {" at step 1 ", "ISIC_", "last.ckpt", "optimizer.rate"}) {
    EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
  }
  EXPECT_EQ(sha256_file(checkpoint), before);
}

TEST_F(InterruptedTraining, MaxMinutesEndsWellAndResumes) {
  std::vector<std::string> words = world_->training("limited", {"--epochs", "6"});
  std::vector<std::string> limited = words;
  limited.insert(limited.end(), {"--max-minutes", "0.0001"});
  const Outcome outcome = run_program(limited);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "--max-minutes")) << outcome.err;
  const Outcome rest = run_program(resumed(words));
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("limited");
}

}  // namespace
}  // namespace medurwkv
