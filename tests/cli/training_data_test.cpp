// How training takes its data: augmentation as settings, fits, decoded images under a budget, the
// estimate of memory and its limit.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
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

class TrainingData : public test::TrainedWorld {
 protected:
  static Outcome train(const std::string& out, const std::vector<std::string>& more,
                       const std::string& epochs = "2") {
    std::vector<std::string> words = world->training(out, {"--epochs", epochs});
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  static std::vector<std::string> sized(int size, int batch) {
    std::vector<std::string> out;
    for (const std::string& setting : {concat("input.width=", size), concat("input.height=", size),
                                       concat("run.batch=", batch)}) {
      out.insert(out.end(), {"--set", setting});
    }
    return out;
  }
  static std::string config(const std::string& out) { return read_file(path(out) / "config.toml"); }
};

// Naming a preset sets every range, a later setting one of them; the written configuration holds
// all.
TEST_F(TrainingData, AugmentationIsConfigured) {
  EXPECT_TRUE(contains(config("run"), "rotation = 20.0")) << "medium is the default";
  const Outcome outcome = train(
      "augmented",
      {"--set", "augment.hue=7", "--set", "input.augment=light", "--set", "augment.shear=0.25"},
      "1");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* line : {"augment = 'light'", "rotation = 10.0", "shear = 0.25", "hue = 0.0"}) {
    EXPECT_TRUE(contains(config("augmented"), line)) << line << "\n" << config("augmented");
  }
  // Read from a file, its own [augment] wins over the preset, whatever the order.
  const fs::path file = path("strong.toml");
  write_file(file, "[augment]\nblur = 0.5\n[input]\naugment = \"strong\"\n");
  ASSERT_EQ(train("from_file", {"--config", file.string()}, "1").code, 0);
  for (const char* line : {"blur = 0.5", "rotation = 45.0"}) {
    EXPECT_TRUE(contains(config("from_file"), line)) << line;
  }
  for (const auto& [setting, part] :
       {std::pair{"augment.rotaton=3", "augment.rotation"},
        std::pair{"augment.elastic=0.6", "0.45"}, std::pair{"input.fit=padded", "pad"},
        std::pair{"input.fit=tiles", "tile"}, std::pair{"input.augment=mediun", "medium"}}) {
    const Outcome refused = train("refused", {"--set", setting});
    EXPECT_EQ(refused.code, 2) << setting;
    EXPECT_TRUE(contains(refused.err, part)) << refused.err;
    EXPECT_FALSE(fs::exists(path("refused")));
  }
}

// A model carries its fit: evaluate and predict obey it, and masks have the images' own sizes.
TEST_F(TrainingData, EveryFitTrainsEvaluatesAndPredicts) {
  for (const std::string fit : {"pad", "native"}) {
    const Outcome outcome = train(fit, {"--set", "input.fit=" + fit}, "1");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::string best = (path(fit) / "best.model").string();
    const Outcome evaluated = run_program({"evaluate", best, "--data", data(), "--split", split(),
                                           "--out", path(fit + "_evaluation").string(), "--json"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
    const std::string image =
        (world->data() / "images" / "ISIC_0000081.jpg").string();  // any one of the set
    const Outcome predicted =
        run_program({"predict", best, image, "--out", path(fit + "_masks").string()});
    EXPECT_EQ(predicted.code, 0) << predicted.err;
  }
}

// With room for all decoded images, for a few, for none, and on more workers: the same model.
TEST_F(TrainingData, TheCacheAndItsWorkersChangeNoBit) {
  for (const std::string budget : {"0", "0.0002", "1"}) {
    const std::string out = "cache" + budget;
    ASSERT_EQ(train(out, {"--cache", budget}).code, 0);
    EXPECT_EQ(sha256_file(path(out) / "best.model"), sha256_file(model())) << budget;
  }
}

/// Pictures that take longer to decode than a small network takes to learn from them.
void write_large_pictures(const fs::path& folder) {
  constexpr std::int64_t side = 48;
  constexpr std::int64_t enlarged = 40;
  for (const char* part : {"images", "masks"}) fs::create_directories(folder / part);
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::string name = concat("case", i, ".png");
    const data::Image small = test::make_blobs(i, side, side, 3);
    write_file(folder / "images" / name,
               data::encode_png(test::make_image(
                   side * enlarged, side * enlarged, 3, [&](auto x, auto y, auto c) {
                     const auto at = (y / enlarged * side + x / enlarged) * 3 + c;
                     return static_cast<int>(small.bytes[static_cast<std::size_t>(at)]);
                   })));
    test::write_gray(folder / "masks" / name, side * enlarged, side * enlarged,
                     [](auto x, auto y) { return x > 300 && y > 400 ? 255 : 0; });
  }
}

/// The share of waiting in the time of all steps; the parts of run.json never exceed the whole.
double share_of_waiting(const fs::path& run_folder) {
  const json run = json::parse(read_file(run_folder / "run.json"));
  const json& parts = run.at("seconds_in");
  double all = 0;
  for (const auto& [part, seconds] : parts.items()) {
    EXPECT_GT(seconds.get<double>(), 0) << part;
    all += seconds.get<double>();
  }
  EXPECT_LE(all, run.at("seconds").get<double>());
  const double steps =
      all - parts.at("validation").get<double>() - parts.at("saving").get<double>();
  return parts.at("waiting_for_data").get<double>() / steps;
}

TEST_F(TrainingData, SaysWhatItExpectsAndWhatItWaitedFor) {
  EXPECT_TRUE(contains(trained.err, "memory: about ")) << trained.err;
  EXPECT_TRUE(contains(trained.err, "waiting for data ")) << trained.err;
  write_large_pictures(path("large pictures"));
  const std::string set = path("large pictures").string();
  const std::string divided = path("large.json").string();
  ASSERT_EQ(
      run_program({"data", "split", set, "--ratios", "0.7", "0.15", "0.15", "--out", divided}).code,
      0);
  const Outcome slow = run_program({"train", "--data", set, "--split", divided, "--preset", "nano",
                                    "--size", "32", "--batch", "2", "--threads", "1", "--epochs",
                                    "2", "--cache", "0", "--out", path("slow").string()});
  ASSERT_EQ(slow.code, 0) << slow.err;
  // How much depends on what else the machine does; which of the two waits more does not.
  EXPECT_GT(share_of_waiting(path("slow")), 2 * share_of_waiting(path("run")))
      << slow.err << trained.err;
}

// Within 15 % of what the process really takes, from where the program's own size decides to where
// activations do, where the loss has many parts, and where weights decide.
TEST_F(TrainingData, MemoryIsAsExpected) {
  const std::vector<std::string> every_loss{
      "--set", "loss.focal=1",       "--set", "loss.tversky=1",
      "--set", "loss.boundary=0.01", "--set", "loss.deep_supervision=true"};
  struct Run {
    int size, batch;
    std::vector<std::string> words;
  };
  const std::vector<Run> runs{{64, 2, {}},
                              {128, 6, {}},
                              {320, 6, {}},
                              {256, 8, every_loss},
                              {64, 2, {"--set", "network.preset=unet"}}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& [size, batch, more] = runs[i];
    std::vector<std::string> words = sized(size, batch);
    words.insert(words.end(), more.begin(), more.end());
    const std::string out = concat("memory", i);
    const Outcome outcome = train(out, words, more.empty() ? "5" : "1");
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json run = json::parse(read_file(path(out) / "run.json"));
    const auto expected = run.at("expected_memory_bytes").get<double>();
    const auto peak = run.at("peak_memory_bytes").get<double>();
    EXPECT_NEAR(expected / peak, 1, 0.15)
        << "run " << i << ": " << expected << " expected, " << peak;
  }
}

// 2 GB: a LibTorch with CUDA holds most of one by itself.
TEST_F(TrainingData, WhatDoesNotFitIsRefusedWithTheSettingToChange) {
  std::vector<std::string> words = sized(1024, 6);
  words.insert(words.end(), {"--memory", "2"});
  const Outcome large = train("large", words);
  EXPECT_EQ(large.code, 1) << large.err;
  EXPECT_TRUE(contains(large.err, "run.batch = ")) << large.err;
  words.insert(words.end(), {"--set", "network.preset=base"});
  const Outcome none = train("none", words);
  EXPECT_EQ(none.code, 1) << none.err;
  EXPECT_TRUE(contains(none.err, "network.preset") && contains(none.err, "input.width"))
      << none.err;
  const Outcome cache = train("cached", {"--memory", "2", "--cache", "100"});
  EXPECT_EQ(cache.code, 0) << "a budget that the set does not fill: " << cache.err;
}

// A limit of the process itself counts like one of the machine.
TEST_F(TrainingData, ALimitOfTheProcessIsSeen) {
  std::vector<std::string> words = world->training("limited", sized(256, 6));
  words.insert(words.end(), {"--set", "network.preset=tiny"});
  const Outcome limited = test::Process(words, {.largest_data = 1'600'000'000}).wait();
  EXPECT_EQ(limited.code, 1) << limited.err;
  EXPECT_TRUE(contains(limited.err, "run.batch = ")) << limited.err;
}

}  // namespace
}  // namespace medurwkv
