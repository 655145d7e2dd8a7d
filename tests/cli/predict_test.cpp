// `predict` as a user types it: every option at once, a model's own fit, a run that was killed.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "data/codecs/read.h"
#include "data/image/image.h"
#include "support/images.h"
#include "support/process.h"
#include "support/trained_world.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;

class Predict : public test::TrainedWorld {
 protected:
  static std::string images() { return (world->data() / "images").string(); }
  static json manifest(const std::string& out) {
    return json::parse(read_file(path(out) / "manifest.json"));
  }
};

TEST_F(Predict, TakesEveryOptionAtOnce) {
  const Outcome outcome = run_program({"predict",
                                       model(),
                                       images(),
                                       "--out",
                                       path("all").string(),
                                       "--overlay",
                                       "--probabilities",
                                       "png",
                                       "--unsure",
                                       "--contours",
                                       "--tta",
                                       "--ensemble",
                                       path("run/last.ckpt").string(),
                                       "--threshold",
                                       "0.4",
                                       "--fill-holes",
                                       "--largest",
                                       "--min-area",
                                       "20",
                                       "--jobs",
                                       "2",
                                       "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("done"), 12);
  const json written = manifest("all");
  EXPECT_EQ(
      written.at("options"),
      json::parse(R"({"overlay": true, "probabilities": "png", "unsure": true, "contours": true,
                "threshold": 0.4, "fill_holes": true, "largest": true, "min_area": 20, "tta": true})"));
  EXPECT_EQ(written.at("models").at(1).at("content_sha256"),
            weights::stored_checksum(weights::read_checked(path("run/last.ckpt")).metadata()));
  for (const json& image : written.at("images")) {
    ASSERT_EQ(image.at("outputs").size(), 5U);
    for (const json& one : image.at("outputs")) {
      EXPECT_EQ(one.at("sha256"), sha256_file(path("all") / one.at("file").get<std::string>()));
    }
    const fs::path contours = path("all") / image.at("outputs").at(4).at("file").get<std::string>();
    std::int64_t area = 0;
    const json polygons = json::parse(read_file(contours)).at("polygons");
    EXPECT_LE(polygons.size(), 1U) << "the largest object alone";
    for (const json& one : polygons) area += one.at("area").get<std::int64_t>();
    EXPECT_EQ(area, image.at("class_pixels").at(1));
  }
  // Probabilities as arrays, of the plain model, have other values but the same classes' names.
  const Outcome plain = run_program(
      {"predict", model(), images(), "--out", path("plain").string(), "--probabilities", "npy"});
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(manifest("plain").at("classes"), written.at("classes"));
  for (const auto& [words, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--continue", "--out", path("plain").string()}, "other options"},
           {{"--out", path("plain").string()}, "--force"},
           {{"--threshold", "2"}, "--threshold"},
           {{"--min-area", "-1"}, "--min-area"},
           {{"--probabilities", "jpg"}, "npy"},
           {{"--ensemble", path("nowhere.model").string()}, "nowhere.model"}}) {
    std::vector<std::string> all{"predict", model(), images()};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome refused = run_program(all, {.folder = path("")});
    EXPECT_TRUE(refused.code == 1 || refused.code == 2) << message;
    EXPECT_TRUE(contains(refused.err, message)) << message << "\n" << refused.err;
    EXPECT_FALSE(fs::exists(path("predictions"))) << message;
  }
}

// The contract that the model was trained with reaches the engine.
TEST_F(Predict, ObeysTheModelsOwnFit) {
  const Outcome trained_otherwise = run_program(world->training(
      "padded", {"--epochs", "1", "--set", "input.fit=pad", "--set", "input.window_high=200"}));
  ASSERT_EQ(trained_otherwise.code, 0) << trained_otherwise.err;
  const Outcome outcome = run_program({"predict", path("padded/best.model").string(), images(),
                                       "--out", path("padded_out").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json input = manifest("padded_out").at("models").at(0).at("input");
  EXPECT_EQ(input.at("fit"), "pad");
  EXPECT_EQ(input.at("window").at(1), 200);
}

// At its own size this image takes 0.5 GB, the next one next to nothing.
TEST_F(Predict, AnImageThatIsTooLargeForTheMemoryFailsByName) {
  ASSERT_EQ(
      run_program(world->training("native", {"--epochs", "1", "--set", "input.fit=native"})).code,
      0);
  fs::create_directories(path("sizes"));
  write_file(path("sizes/large.png"),
             data::encode_png(test::make_image(3000, 3000, 3, [](auto, auto, auto) { return 9; })));
  write_file(path("sizes/small.png"),
             data::encode_png(test::make_image(64, 64, 3, [](auto, auto, auto) { return 9; })));
  const Outcome outcome =
      run_program({"predict", path("native/best.model").string(), path("sizes").string(), "--out",
                   path("sizes_out").string(), "--threads", "1"},
                  {.largest_data = 250'000'000});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "large.png: ") && contains(outcome.err, "takes about"))
      << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "train")) << outcome.err;
  EXPECT_TRUE(fs::exists(path("sizes_out/small.png"))) << outcome.err;
}

TEST_F(Predict, GoesOnAfterKill) {
  const fs::path many = path("many");
  fs::create_directories(many);
  const fs::path image = fs::directory_iterator(world->data() / "images")->path();
  constexpr int count = 14;
  for (int i = 0; i < count; ++i) {
    fs::create_hard_link(image, many / (std::to_string(i) + image.extension().string()));
  }
  const auto words = [&](const std::string& out) {
    return std::vector<std::string>{"predict", model(),      many.string(), "--overlay",
                                    "--tta",   "--continue", "--out",       path(out).string()};
  };
  {
    test::Process process(words("killed"));
    ASSERT_TRUE(process.until([&] { return fs::exists(path("killed/11.png")); })) << process.err();
    process.send(SIGKILL);
    process.wait();
  }
  const Outcome outcome = run_program(words("killed"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(run_program(words("whole")).code, 0);
  EXPECT_EQ(manifest("killed"), manifest("whole"));
  for (const auto& entry : fs::directory_iterator(path("killed"))) {
    EXPECT_TRUE(fs::exists(path("whole") / entry.path().filename())) << entry.path();
  }
}

}  // namespace
}  // namespace medurwkv
