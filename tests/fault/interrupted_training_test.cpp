// Training that is killed, stopped, starved or disturbed: nothing that was saved is lost, and a
// resumed run ends with the bits of an unbroken one.
#include <gtest/gtest.h>

#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/demo.h"
#include "support/images.h"
#include "support/process.h"
#include "weights/tensor_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;

/// A checkpoint after every step.
const std::vector<std::string> schedule{"--epochs", "6", "--save-every", "0.00001"};

std::vector<std::string> resumed(std::vector<std::string> words) {
  words.emplace_back("--resume");
  return words;
}

class InterruptedTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world = std::make_unique<test::SmallWorld>();
    unbroken = world->trained("unbroken", schedule);
  }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override { ASSERT_EQ(unbroken.code, 0) << unbroken.err; }

  static fs::path path(const std::string& name) { return world->root() / name; }

  /// Steps that the run's folder says are saved; 0 before the first time.
  static std::int64_t saved_steps(const std::string& run) {
    const fs::path file = path(run) / "run.json";
    if (!fs::exists(file)) return 0;
    return nlohmann::json::parse(read_file(file)).at("finished_steps").get<std::int64_t>();
  }

  /// Rewrites a checkpoint as one of step 0 whose classifier's weights are all `weight`.
  static void make_unfinished(const fs::path& checkpoint, float weight) {
    const weights::TensorFile file = weights::TensorFile::read(checkpoint);
    weights::Metadata metadata = file.metadata();
    auto state = nlohmann::json::parse(metadata.at("checkpoint"));
    state["state"]["step"] = 0;
    state["state"]["rows"] = nlohmann::json::array();
    metadata["checkpoint"] = state.dump();
    metadata.erase("content_sha256");  // and it need not have one
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

  static std::unique_ptr<test::SmallWorld> world;
  static Outcome unbroken;
};
std::unique_ptr<test::SmallWorld> InterruptedTraining::world;
Outcome InterruptedTraining::unbroken;

// Killed when at least that many of the 18 steps were saved; in the midst of what comes next.
TEST_F(InterruptedTraining, KilledAnywhereItGoesOnToTheSameBits) {
  for (const std::int64_t saved : {1, 4, 8, 12}) {
    const std::string run = "killed" + std::to_string(saved);
    {
      Process process(world->training(run, schedule));
      ASSERT_TRUE(process.until([&] { return saved_steps(run) >= saved; })) << process.err();
      process.send(SIGKILL);
      ASSERT_EQ(process.wait().signal, SIGKILL);
    }
    const Outcome outcome = run_program(resumed(world->training(run, schedule)));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::string said = "resuming after step ";
    ASSERT_TRUE(contains(outcome.err, said)) << outcome.err;
    EXPECT_GE(std::stoll(outcome.err.substr(outcome.err.find(said) + said.size())), saved);
    expect_unbroken(run);
  }
}

TEST_F(InterruptedTraining, KilledAgainAndAgainItStillEndsWithTheSameBits) {
  const std::string run = "often";
  std::vector<std::string> words = world->training(run, schedule);
  for (const std::int64_t saved : {2, 5, 8, 12}) {
    Process process(words);
    ASSERT_TRUE(process.until([&] { return saved_steps(run) >= saved; })) << process.err();
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().signal, SIGKILL);
    words = resumed(world->training(run, schedule));
  }
  const Outcome outcome = run_program(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  expect_unbroken(run);
}

TEST_F(InterruptedTraining, KilledWhileItSavesItGoesOnAndCleansUp) {
  const std::string run = "saving";
  const auto half_written = [&] {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path(run), error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(".last.ckpt.") && name.ends_with(".tmp")) return true;
    }
    return false;
  };
  // A kill may come just after the rename; then once more.
  for (int attempt = 0; attempt < 20 && !half_written(); ++attempt) {
    fs::remove_all(path(run));
    Process process(world->training(run, schedule));
    process.until(half_written);
    process.send(SIGKILL);
    process.wait();
  }
  ASSERT_TRUE(half_written()) << "no kill came in the midst of writing";
  const Outcome outcome = run_program(resumed(world->training(run, schedule)));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(half_written());
  expect_unbroken(run);
}

// Nothing is saved before the first epoch has ended or a minute is over: --resume starts over.
TEST_F(InterruptedTraining, KilledBeforeTheFirstSaveItStartsOver) {
  const std::vector<std::string> words = world->training("early", {"--epochs", "6"});
  {
    Process process(words);
    ASSERT_TRUE(process.until([&] { return fs::exists(path("early") / "config.toml"); }));
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().signal, SIGKILL);
  }
  ASSERT_FALSE(fs::exists(path("early") / "last.ckpt"));
  const Outcome anew = run_program(words);
  EXPECT_EQ(anew.code, 2);
  EXPECT_TRUE(contains(anew.err, "--resume")) << anew.err;
  const Outcome other =
      run_program(resumed(world->training("early", {"--epochs", "6", "--set", "run.seed=1"})));
  EXPECT_EQ(other.code, 2);
  EXPECT_TRUE(contains(other.err, "run.seed = 0, not 1")) << other.err;
  EXPECT_TRUE(contains(other.err, "--out ANOTHER")) << other.err;
  const Outcome outcome = run_program(resumed(words));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "starting from the beginning")) << outcome.err;
  expect_unbroken("early");
}

TEST_F(InterruptedTraining, OnTwoThreadsTooTheBitsAreTheSame) {
  const auto on_two = [&](const std::string& run) {
    std::vector<std::string> words = world->training(run, schedule);
    *std::next(std::find(words.begin(), words.end(), "--threads")) = "2";
    return words;
  };
  ASSERT_EQ(run_program(on_two("two unbroken")).code, 0);
  {
    Process process(on_two("two"));
    ASSERT_TRUE(process.until([&] { return saved_steps("two") >= 7; })) << process.err();
    process.send(SIGKILL);
    ASSERT_EQ(process.wait().signal, SIGKILL);
  }
  const Outcome outcome = run_program(resumed(on_two("two")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const std::string file : {"last.ckpt", "best.model"}) {
    EXPECT_EQ(sha256_file(path("two") / file), sha256_file(path("two unbroken") / file)) << file;
  }
}

TEST_F(InterruptedTraining, CtrlCAndSigtermSaveAndSaySo) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string run = "stopped" + std::to_string(code);
    // Saved seldom: by the epochs that are the best so far, and because of the signal.
    std::vector<std::string> words = world->training(run, {"--epochs", "6"});
    {
      Process process(words);
      ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
      process.send(signal);
      const Outcome outcome = process.wait();
      EXPECT_EQ(outcome.code, code) << outcome.err;
      EXPECT_TRUE(contains(outcome.err, "stopped by")) << outcome.err;
    }
    EXPECT_GE(saved_steps(run), 6) << "two epochs of three steps";
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
    const Outcome outcome = run_program(resumed(world->training("broken", schedule)));
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "last.ckpt")) << outcome.err;
    EXPECT_FALSE(contains(outcome.err, "bug")) << outcome.err;
    EXPECT_EQ(read_file(checkpoint), bytes) << "it was left as it was";
  }
}

// The file is still a sound one of its format; only its numbers are others.
TEST_F(InterruptedTraining, ACheckpointWithOneOtherBitIsRefused) {
  fs::copy(path("unbroken"), path("flipped"), fs::copy_options::recursive);
  const fs::path checkpoint = path("flipped") / "last.ckpt";
  const std::string whole = read_file(checkpoint);
  const std::string step = R"(\"step\":1)";
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof(header));
  const std::size_t data = sizeof(header) + header;
  ASSERT_NE(whole.find(step), std::string::npos);
  const std::vector<std::size_t> places{whole.find(step) + step.size() - 1, data, whole.size() / 2,
                                        whole.size() - 2};
  for (const std::size_t place : places) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ 0x04);
    write_file(checkpoint, bytes);
    const Outcome outcome = run_program(resumed(world->training("flipped", schedule)));
    EXPECT_EQ(outcome.code, 1) << place << ": " << outcome.err;
    EXPECT_TRUE(contains(outcome.err, checkpoint.string() + ": is damaged")) << outcome.err;
    EXPECT_EQ(read_file(checkpoint), bytes) << "it was left as it was";
  }
  write_file(checkpoint, whole);
  EXPECT_EQ(run_program(resumed(world->training("flipped", schedule))).code, 0);
}

TEST_F(InterruptedTraining, ASecondWriterIsRefused) {
  std::vector<std::string> words = world->training("shared", {"--epochs", "1000"});
  Process first(words);
  ASSERT_TRUE(first.until([&] { return contains(first.err(), "epoch 1/"); }));
  const Outcome second = run_program(world->training("shared", {"--epochs", "1000", "--resume"}));
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(contains(second.err, "another run is writing to this folder")) << second.err;
  first.send(SIGINT);
  ASSERT_EQ(first.wait().code, 130);

  Process again(resumed(words));
  ASSERT_TRUE(again.until([&] { return contains(again.err(), "resuming"); }));
  const Outcome third = run_program(resumed(words));
  EXPECT_EQ(third.code, 1);
  EXPECT_TRUE(contains(third.err, "another run is writing to this folder")) << third.err;
  again.send(SIGTERM);
  EXPECT_EQ(again.wait().code, 143);
}

// The checkpoint of this network holds about 1.7 MB: a limit below lets everything else be written.
TEST_F(InterruptedTraining, AFullDiskKeepsTheFormerCheckpoint) {
  {
    Process process(world->training("full", {"--epochs", "6"}));
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
    process.send(SIGINT);
    ASSERT_EQ(process.wait().code, 130);
  }
  const std::string before = sha256_file(path("full/last.ckpt"));
  ASSERT_GT(fs::file_size(path("full/last.ckpt")), 1'000'000U);
  const Outcome outcome = Process(resumed(world->training("full", {"--epochs", "6"})),
                                  {.environment = {}, .folder = {}, .largest_file = 1'000'000})
                              .wait();
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "last.ckpt")) << outcome.err;
  EXPECT_EQ(sha256_file(path("full/last.ckpt")), before);
  for (const auto& entry : fs::directory_iterator(path("full"))) {
    EXPECT_FALSE(contains(entry.path().filename().string(), "tmp")) << entry.path();
  }
  const Outcome rest = run_program(resumed(world->training("full", {"--epochs", "6"})));
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("full");
}

// A file system of its own that is really full, in a mount namespace that ends with this process.
TEST_F(InterruptedTraining, AFileSystemWithoutRoomKeepsTheFormerCheckpoint) {
  const fs::path disk = path("disk");
  fs::create_directories(disk);
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8m") != 0) {
    GTEST_SKIP() << "only root can mount a small file system: " << std::strerror(errno);
  }
  const std::vector<std::string> words = world->training("disk/run", {"--epochs", "6"});
  {
    Process process(words);
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 2/"); }));
    process.send(SIGINT);
    const Outcome stopped = process.wait();
    ASSERT_EQ(stopped.code, 130) << "signal " << stopped.signal << "\n" << stopped.err;
  }
  const std::string before = sha256_file(disk / "run/last.ckpt");
  const fs::path ballast = disk / "ballast";
  std::ofstream(ballast) << std::string(fs::space(disk).available - 1'000'000, 'x');
  const Outcome outcome = run_program(resumed(words));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "last.ckpt")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, std::strerror(ENOSPC))) << outcome.err;
  EXPECT_EQ(sha256_file(disk / "run/last.ckpt"), before);
  fs::remove(ballast);
  const Outcome rest = run_program(resumed(words));
  EXPECT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("disk/run");
  ::umount(disk.c_str());
}

// A checkpoint whose last layer is about to overflow stands for a run that diverges.
TEST_F(InterruptedTraining, AnInfiniteLossStopsAndKeepsTheCheckpoint) {
  fs::copy(path("unbroken"), path("diverging"), fs::copy_options::recursive);
  const fs::path checkpoint = path("diverging") / "last.ckpt";
  std::vector<std::string> words = world->training("diverging", {"--epochs", "6"});
  make_unfinished(checkpoint, 3e38F);
  const std::string before = sha256_file(checkpoint);
  const Outcome outcome = run_program(resumed(words));
  ASSERT_EQ(outcome.code, 1) << outcome.err;
  for (const char* part : {" at step 1 ", "ISIC_", "last.ckpt", "optimizer.rate"}) {
    EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
  }
  EXPECT_EQ(sha256_file(checkpoint), before);
}

// Nothing is kept of the images, so that each is read again in every epoch. Gone or cut short:
// the run ends with the file's name and is saved; with the file back it
// ends with the bits of a run that met no such thing.
TEST_F(InterruptedTraining, AFileThatVanishesOrRotsEndsTheRunByName) {
  const auto ids = nlohmann::json::parse(read_file(world->split())).at("train");
  const fs::path image = world->data() / "images" / (ids.at(2).get<std::string>() + ".jpg");
  ASSERT_TRUE(fs::exists(image));
  const std::string whole = read_file(image);
  std::vector<std::string> words = world->training("rotten", schedule);
  words.insert(words.end(), {"--cache", "0"});
  for (const std::int64_t kept : {std::int64_t{-1}, std::int64_t{700}}) {
    const std::int64_t saved = saved_steps("rotten");
    {
      Process process(words);
      ASSERT_TRUE(process.until([&] { return saved_steps("rotten") > saved; })) << process.err();
      if (kept < 0) {
        fs::remove(image);
      } else {
        fs::resize_file(image, static_cast<std::uintmax_t>(kept));
      }
      const Outcome outcome = process.wait();
      write_file(image, whole);
      EXPECT_EQ(outcome.code, 1) << outcome.err;
      for (const std::string& part :
           {image.filename().string(), std::string("last.ckpt"), std::string("--resume")}) {
        EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
      }
    }
    words = resumed(world->training("rotten", schedule));
    words.insert(words.end(), {"--cache", "0"});
  }
  const Outcome rest = run_program(words);
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("rotten");
}

// Nothing is kept, so that each file is read again. Another picture under the same name, a training
// image, its mask or a validation image: the run ends with the file's name and is saved, and with
// the file back it ends with the bits of a run that met no such thing.
TEST_F(InterruptedTraining, AnExchangedFileEndsTheRunByName) {
  const auto split = nlohmann::json::parse(read_file(world->split()));
  const auto named = [&](const char* part, std::size_t index, const char* folder) {
    const auto id = split.at(part).at(index).get<std::string>();
    for (const fs::path& file : list_folder(world->data() / folder)) {
      if (file.stem().string().starts_with(id)) return file;
    }
    return fs::path();
  };
  int number = 0;
  for (const fs::path& file :
       {named("train", 2, "images"), named("train", 2, "masks"), named("val", 0, "images")}) {
    const std::string run = "exchanged" + std::to_string(++number);
    std::vector<std::string> words = world->training(run, schedule);
    words.insert(words.end(), {"--cache", "0"});
    const std::string whole = read_file(file);
    // Of the same size.
    const data::ImageSize size = data::read_image_size(file);
    const bool mask = file.parent_path().filename() == "masks";
    const std::string another = data::encode_png(test::make_image(
        size.width, size.height, mask ? 1 : 3, [](auto x, auto, auto) { return x < 5 ? 255 : 0; }));
    {
      Process process(words);
      // After an epoch of three steps all have been read once.
      ASSERT_TRUE(process.until([&] { return saved_steps(run) > 3; })) << process.err();
      write_file(file, another);
      const Outcome outcome = process.wait();
      write_file(file, whole);
      EXPECT_EQ(outcome.code, 1) << outcome.err;
      for (const std::string& part : {file.string() + ": has changed since the run first read it",
                                      std::string("last.ckpt"), std::string("--resume")}) {
        EXPECT_TRUE(contains(outcome.err, part)) << outcome.err;
      }
      EXPECT_EQ(outcome.out, "");
    }
    const Outcome rest = run_program(resumed(words));
    ASSERT_EQ(rest.code, 0) << rest.err;
    expect_unbroken(run);
  }
}

TEST_F(InterruptedTraining, MaxMinutesEndsWellAndResumes) {
  std::vector<std::string> words = world->training("limited", {"--epochs", "6"});
  std::vector<std::string> limited = words;
  limited.insert(limited.end(), {"--max-minutes", "0.0001"});
  const Outcome outcome = run_program(limited);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "--max-minutes")) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "model: none yet")) << outcome.out;
  EXPECT_FALSE(contains(outcome.out, "best.model") || contains(outcome.out, "curves.svg"))
      << "neither is there: " << outcome.out;
  const Outcome rest = run_program(resumed(words));
  ASSERT_EQ(rest.code, 0) << rest.err;
  expect_unbroken("limited");
}

}  // namespace
}  // namespace medurwkv
