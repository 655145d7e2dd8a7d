// Pretraining as users start it: three ways to an encoder that `train --pretrained` loads whole;
// stopped and resumed to the same bits, on two threads as on one, in two processes as in one; what
// is wrong is said by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/npy.h"
#include "core/text.h"
#include "support/demo.h"
#include "support/process.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::Process;
using test::run_program;
using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

class Pretraining : public ::testing::TestWithParam<std::string> {
 protected:
  /// 24 images, as they are and in two classes.
  static void SetUpTestSuite() {
    folder = std::make_unique<test::TemporaryFolder>();
    test::copy_pairs(path("demo"), 24);
    int number = 0;
    std::vector<fs::path> images;
    for (const auto& entry : fs::directory_iterator(path("demo/images"))) images.push_back(entry);
    std::sort(images.begin(), images.end());
    for (const fs::path& image : images) {
      const fs::path to = path("classes") / (number++ % 2 == 0 ? "even" : "odd");
      fs::create_directories(to);
      fs::copy_file(image, to / image.filename());
    }
    const Outcome split =
        run_program({"data", "split", path("demo").string(), "--out", path("split.json").string()});
    ASSERT_EQ(split.code, 0) << split.err;
  }
  static void TearDownTestSuite() { folder.reset(); }

  static fs::path path(const std::string& name) { return folder->path() / name; }
  static std::string teacher() {
    return (test::source_folder() / "tests/cli/data/teacher.ts").string();
  }
  /// A pretraining of 4 steps an epoch.
  static Words words(const std::string& task, const std::string& out) {
    Words all{"pretrain",
              task,
              path(task == "classify" ? "classes" : "demo/images").string(),
              "--preset",
              "nano",
              "--size",
              "64",
              "--batch",
              "6",
              "--epochs",
              "3",
              "--out",
              path(out).string(),
              "--threads",
              "1",
              "--set",
              "run.validation=0.2"};
    if (task == "classify")
      all = all + Words{"--set", "classify.mixup=0.8", "--set", "classify.cutmix=1"};
    if (task == "distill") all = all + Words{"--teacher", teacher()};
    return all;
  }
  static std::unique_ptr<test::TemporaryFolder> folder;
};
std::unique_ptr<test::TemporaryFolder> Pretraining::folder;

TEST_P(Pretraining, ItsEncoderIsLoadedWholeAndItResumesToTheSameBits) {
  const std::string task = GetParam();
  const std::string name = "unbroken-" + task;
  const Outcome outcome = run_program(words(task, name));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "best.model (epoch ")) << outcome.out;
  EXPECT_TRUE(contains(outcome.err, "memory: about ")) << outcome.err;
  {
    Process process(words(task, "halves-" + task));
    ASSERT_TRUE(process.until([&] { return contains(process.err(), "epoch 1/"); }));
    process.send(SIGTERM);
    ASSERT_EQ(process.wait().code, 143);
  }
  const Outcome resumed = run_program(words(task, "halves-" + task) + Words{"--resume"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  Words more = words(task, "threads-" + task);
  *(std::find(more.begin(), more.end(), "--threads") + 1) = "2";
  ASSERT_EQ(run_program(more).code, 0);
  for (const char* file : {"best.model", "last.ckpt", "log.csv", "split.json", "config.toml"}) {
    EXPECT_EQ(sha256_file(path(name) / file), sha256_file(path("halves-" + task) / file)) << file;
  }
  // The order of data and views is the same on any number of threads.
  EXPECT_EQ(read_file(path(name) / "split.json"),
            read_file(path("threads-" + task) / "split.json"));
  const auto first_loss = [&](const std::string& run) {
    const Words rows = split(read_file(path(run) / "log.csv"), '\n');
    return std::stod(split(rows.at(1), ',').at(2));
  };
  EXPECT_NEAR(first_loss(name), first_loss("threads-" + task), 2e-4);

  const auto file = weights::read_checked(path(name) / "best.model");
  const weights::ModelInfo info = weights::model_info("best.model", file.metadata());
  EXPECT_EQ(info.provenance.at("task").get<std::string>(), task);
  EXPECT_EQ(info.heads.size(), task == "classify" ? 1U : 0U);
  for (const weights::TensorInfo& tensor : file.tensors()) {
    EXPECT_FALSE(tensor.name.starts_with(task + "."))
        << "what only the training has: " << tensor.name;
  }
  const Outcome tuned = run_program({"train", "--data", path("demo").string(), "--split",
                                     path("split.json").string(), "--preset", "nano", "--size",
                                     "64", "--epochs", "1", "--out", path("tuned-" + task).string(),
                                     "--pretrained", (path(name) / "best.model").string()});
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_TRUE(contains(tuned.err, task == "classify"
                                      ? "unused 4, mismatched 0"
                                      : "(0 of the encoder), unused 0, mismatched 0"))
      << tuned.err;
  const Outcome judged = run_program({"predict", (path(name) / "best.model").string(),
                                      path("demo/images").string(), "--out", path("p").string()});
  EXPECT_EQ(judged.code, 2) << judged.err;
  EXPECT_TRUE(contains(judged.err, "train --pretrained")) << judged.err;
}

TEST_P(Pretraining, TwoProcessesLearnWhatOneLearns) {
  const std::string task = GetParam();
  // Four pictures a step, two each.
  const auto few = [&](const std::string& out) {
    Words all = words(task, out);
    *(std::find(all.begin(), all.end(), "--batch") + 1) = "4";
    *(std::find(all.begin(), all.end(), "--epochs") + 1) = "2";
    return all;
  };
  ASSERT_EQ(run_program(few("one-" + task)).code, 0);
  const Outcome two = run_program(few("two-" + task) + Words{"--nproc", "2"});
  if (contains(two.err, "no Gloo headers")) GTEST_SKIP() << two.err;
  ASSERT_EQ(two.code, 0) << two.err;
  const Words one_rows = split(trim(read_file(path("one-" + task) / "log.csv")), '\n');
  const Words two_rows = split(trim(read_file(path("two-" + task) / "log.csv")), '\n');
  ASSERT_EQ(one_rows.size(), two_rows.size());
  for (std::size_t i = 1; i < one_rows.size(); ++i) {
    const double one = std::stod(split(one_rows[i], ',').at(2));
    EXPECT_NEAR(one, std::stod(split(two_rows[i], ',').at(2)), 2e-3 * one) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Pretraining, ::testing::Values("classify", "simmim", "distill"),
                         [](const auto& with) { return with.param; });

using PretrainingRefuses = Pretraining;

TEST_F(PretrainingRefuses, WhatIsWrongIsSaidByName) {
  const auto refused = [&](const Words& all, const std::string& message) {
    const Outcome outcome = run_program(all);
    EXPECT_TRUE(outcome.code == 1 || outcome.code == 2) << outcome.code << message;
    EXPECT_TRUE(contains(outcome.err, message)) << message << "\n" << outcome.err;
    EXPECT_FALSE(fs::exists(path("refused"))) << message;
  };
  refused(words("simmim", "refused") + Words{"--set", "simmim.patch=24"}, "multiple of 16");
  refused(words("simmim", "refused") + Words{"--set", "simmim.patch=48"}, "simmim.patch = 48");
  refused(words("simmim", "refused") + Words{"--set", "simmim.ratio=1"}, "simmim.ratio");
  refused(words("simmim", "refused") + Words{"--set", "loss.dice=1"},
          "does not belong to this command");
  refused(words("classify", "refused") + Words{"--set", "run.batch=5"}, "multiple of 2");
  refused(words("distill", "refused") + Words{"--set", "distill.weights=[1]"}, "distill.weights");
  refused({"pretrain", "distill", path("demo/images").string(), "--out", path("refused").string()},
          "--teacher FILE.ts or --targets");
  refused({"pretrain", "classify", path("demo/images").string(), "--out", path("refused").string()},
          "demo/images");
  refused({"pretrain", "simmim", path("gone").string(), "--out", path("refused").string()}, "gone");
  refused({"pretrain", "simmim", path("demo/images").string(), "--out",
           path("demo/images/refused").string()},
          "demo/images");
  refused({"pretrain", "simmim", path("demo/images").string(), "--preset", "nano", "--memory",
           "0.1", "--out", path("refused").string()},
          "--memory allows");
}

TEST_F(PretrainingRefuses, ARunOfOtherPicturesOrAnotherTask) {
  fs::copy(path("demo/images"), path("changed"));
  Words all = words("simmim", "grown");
  all[2] = path("changed").string();
  ASSERT_EQ(run_program(all + Words{"--set", "run.epochs=1"}).code, 0);
  const Outcome other = run_program({"pretrain", "classify", path("classes").string(), "--out",
                                     path("grown").string(), "--resume"});
  EXPECT_EQ(other.code, 2) << other.err;
  EXPECT_TRUE(contains(other.err, "simmim")) << other.err;
  fs::remove(fs::directory_iterator(path("changed"))->path());
  const Outcome outcome = run_program({"pretrain", "simmim", path("changed").string(), "--out",
                                       path("grown").string(), "--resume"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "the pictures are others")) << outcome.err;
}

// Maps that were stored for pictures of the demo: the hash of each picture is checked.
TEST_F(PretrainingRefuses, StoredTargetsOfAnotherPicture) {
  const auto ids = [&] {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(path("demo/images"))) {
      out.push_back(entry.path().filename());
    }
    std::sort(out.begin(), out.end());
    return out;
  }();
  const auto write = [&](const std::string& wrong) {
    std::string array = npy_header(NpyType::f32, {std::ssize(ids), 8, 8, 5});
    std::string list = "id,sha256\n";
    float value = 0;
    for (const std::string& id : ids) {
      for (int i = 0; i < 8 * 8 * 5; ++i, value += 0.37F) {
        const float wave = std::sin(value);
        array.append(reinterpret_cast<const char*>(&wave), sizeof(wave));
      }
      const std::string hash =
          id == wrong ? std::string(64, '0') : sha256_file(path("demo/images") / id);
      list += concat(id, ",", hash, "\n");
    }
    write_file(path("stored.npy"), array);
    write_file(path("stored.csv"), list);
  };
  const Words all{"pretrain",
                  "distill",
                  path("demo/images").string(),
                  "--targets",
                  path("stored.npy").string(),
                  "--preset",
                  "nano",
                  "--size",
                  "64",
                  "--batch",
                  "6",
                  "--epochs",
                  "1",
                  "--threads",
                  "1"};
  write("");
  const Outcome good = run_program(all + Words{"--out", path("stored").string()});
  EXPECT_EQ(good.code, 0) << good.err;
  write(ids.front());
  const Outcome bad = run_program(all + Words{"--out", path("bad").string()});
  EXPECT_EQ(bad.code, 1);
  EXPECT_TRUE(contains(bad.err, ids.front()) && contains(bad.err, "stored.csv")) << bad.err;
}

}  // namespace
}  // namespace medurwkv
