// A training's temperature from its end to the probabilities of `predict` and the report of
// `evaluate`.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/npy.h"
#include "support/html.h"
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
using test::Words;
using test::operator+;

class CalibrationCommands : public test::TrainedWorld {
 protected:
  static std::string file(const std::string& name) { return path(name).string(); }
  static json read_json(const std::string& name) { return json::parse(read_file(path(name))); }
  static json about(const std::string& model) {
    const Outcome outcome = run_program({"inspect", model, "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out).at("about");
  }
  static double temperature() { return about(model()).at("temperature").get<double>(); }
  /// Into the folder `out`, with probabilities as arrays.
  static Outcome predict(const std::string& of, const std::string& out, const Words& more = {}) {
    const Outcome outcome = run_program(Words{"predict", of, (world->data() / "images").string(),
                                              "--out", file(out), "--probabilities", "npy"} +
                                        more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  }
  /// The same training without a temperature.
  static std::string plain_model(const std::string& run) {
    const Outcome outcome =
        run_program(world->training(run, {"--epochs", "2", "--set", "run.calibrate=false"}));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_FALSE(contains(outcome.err + outcome.out, "temperature")) << outcome.err;
    return file(run + "/best.model");
  }
  static std::vector<fs::path> arrays(const std::string& out) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path(out))) {
      if (entry.path().extension() == ".npy") found.push_back(entry.path().filename());
    }
    EXPECT_EQ(found.size(), 12U);
    return found;
  }
  static std::vector<double> numbers(const std::string& out, const fs::path& array) {
    return NpyArray::read(path(out) / array).doubles();
  }
};

// What the run says of the validation part is what evaluate finds there.
TEST_F(CalibrationCommands, ATrainingEndsWithATemperature) {
  const json fitted = read_json("run/run.json").at("calibration");
  EXPECT_TRUE(contains(trained.err, "it takes the negative log-likelihood from ")) << trained.err;
  EXPECT_TRUE(contains(trained.out, ", temperature ")) << trained.out;
  const json model_says = about(model());
  EXPECT_EQ(model_says.at("temperature"), fitted.at("temperature"));
  EXPECT_EQ(model_says.at("provenance").at("calibration"), fitted);
  EXPECT_TRUE(contains(run_program({"inspect", model()}).out, "\ntemperature "));
  EXPECT_FALSE(about(file("run/last.ckpt")).contains("temperature")) << "of the best epoch alone";
  const json& likelihood = fitted.at("negative_log_likelihood");
  EXPECT_LT(likelihood.at(1), likelihood.at(0));

  const Outcome judged = run_program({"evaluate", model(), "--data", data(), "--split", split(),
                                      "--part", "val", "--out", file("judged"), "--json"});
  ASSERT_EQ(judged.code, 0) << judged.err;
  const json calibration = json::parse(judged.out).at("calibration");
  EXPECT_EQ(calibration.at("temperature"), fitted.at("temperature"));
  ASSERT_EQ(fitted.at("used_pixels"), fitted.at("pixels")) << "the sample holds all of so few";
  EXPECT_EQ(calibration.at("all").at("pixels"), fitted.at("pixels"));
  EXPECT_NEAR(calibration.at("before").at("all").at("ece").get<double>(),
              fitted.at("calibration_error").at(0).get<double>(), 1e-6);
  EXPECT_NEAR(calibration.at("all").at("ece").get<double>(),
              fitted.at("calibration_error").at(1).get<double>(), 1e-6);
  const std::string page = read_file(path("judged/report.html"));
  test::expect_good_page(page);
  EXPECT_TRUE(contains(page, " takes the calibration error from "));
}

// p^(1/T), normalised, by hand from the probabilities of the same training without a temperature;
// the masks are the same files.
TEST_F(CalibrationCommands, ItActsOnProbabilitiesAndNotOnMasks) {
  const std::string plain = plain_model("plain");
  EXPECT_FALSE(about(plain).contains("temperature"));
  EXPECT_FALSE(about(plain).at("metadata").contains("needs"));
  const double t = temperature();
  predict(plain, "of_plain");
  predict(model(), "of_model");
  predict(model(), "by_torch", {"--engine", "torch"});
  predict(model(), "cut", {"--threshold", "0.45"});
  EXPECT_EQ(read_json("of_model/manifest.json").at("temperature"), t);
  EXPECT_EQ(read_json("by_torch/manifest.json").at("temperature"), t);
  EXPECT_EQ(read_json("of_plain/manifest.json").at("temperature"), 1);
  double most = 0;
  for (const fs::path& array : arrays("of_plain")) {
    const std::vector<double> before = numbers("of_plain", array);
    const std::vector<double> after = numbers("of_model", array);
    const std::vector<double> torch = numbers("by_torch", array);
    const std::string name = array.stem().string();
    const std::string mask = name.substr(0, name.rfind('_')) + ".png";
    EXPECT_EQ(read_file(path("of_plain") / mask), read_file(path("of_model") / mask));
    const std::size_t pixels = before.size() / 2;
    for (std::size_t i = 0; i < pixels; ++i) {
      const double one = std::pow(before[pixels + i], 1 / t);
      const double expected = one / (one + std::pow(before[i], 1 / t));
      ASSERT_NEAR(after[pixels + i], expected, 1e-5) << array;
      ASSERT_NEAR(after[pixels + i] + after[i], 1, 1e-6);
      // Differences between the engines grow with 1/T.
      ASSERT_NEAR(torch[pixels + i], after[pixels + i], 1e-4 / t);
      most = std::max(most, std::abs(after[i] - before[i]));
    }
  }
  EXPECT_GT(most, 0.01) << "the temperature does something";
  // At the threshold pixel by pixel: how many are foreground stands in the manifest.
  for (const json& image : read_json("cut/manifest.json").at("images")) {
    const std::vector<double> after = numbers("cut", image.at("outputs").at(1).at("file"));
    const std::size_t pixels = after.size() / 2;
    std::int64_t foreground = 0;
    for (std::size_t i = 0; i < pixels; ++i) foreground += after[pixels + i] >= 0.45 ? 1 : 0;
    EXPECT_EQ(image.at("class_pixels").at(1), foreground);
  }
}

// Two of a kind keep theirs; one without counts as 1, which is said.
TEST_F(CalibrationCommands, AnEnsembleHasTheGeometricMean) {
  const double t = temperature();
  const std::string other = file("run/last.ckpt");
  const Outcome mixed = predict(model(), "mixed", {"--ensemble", other});
  EXPECT_TRUE(contains(mixed.err, "note: " + other + " has no temperature; it counts as 1"))
      << mixed.err;
  EXPECT_NEAR(read_json("mixed/manifest.json").at("temperature").get<double>(), std::sqrt(t), 1e-9);
  const Outcome twice = predict(model(), "twice", {"--ensemble", model()});
  EXPECT_FALSE(contains(twice.err, "has no temperature")) << twice.err;
  EXPECT_NEAR(read_json("twice/manifest.json").at("temperature").get<double>(), t, 1e-9);
  // Averaged first, then one temperature: of the two files' epochs, by hand.
  predict(other, "of_other");
  predict(plain_model("member"), "of_member");
  for (const fs::path& array : arrays("mixed")) {
    const std::vector<double> a = numbers("of_member", array);
    const std::vector<double> b = numbers("of_other", array);
    const std::vector<double> got = numbers("mixed", array);
    const std::size_t pixels = a.size() / 2;
    for (std::size_t i = 0; i < pixels; ++i) {
      const double one = std::pow((a[pixels + i] + b[pixels + i]) / 2, 1 / std::sqrt(t));
      const double none = std::pow((a[i] + b[i]) / 2, 1 / std::sqrt(t));
      ASSERT_NEAR(got[pixels + i], one / (one + none), 1e-5);
    }
  }
}

TEST_F(CalibrationCommands, ConvertKeepsItForTheSameNetwork) {
  ASSERT_EQ(run_program({"convert", model(), file("there.pth")}).code, 0);
  ASSERT_EQ(run_program({"convert", file("there.pth"), file("back.model")}).code, 0);
  EXPECT_EQ(read_file(path("back.model")), read_file(model()));
  const Outcome other =
      run_program({"convert", model(), file("other.model"), "--wkv", "released32"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_TRUE(contains(other.out, "temperature left out")) << other.out;
  EXPECT_FALSE(about(file("other.model")).contains("temperature"));
}

// A run that was killed after its checkpoint had the temperature and before best.model did: with
// the model as it was before, the end is the same; nothing is fitted again.
TEST_F(CalibrationCommands, AKilledRunGivesItsModelTheTemperatureItHas) {
  const std::string whole = read_file(model());
  const weights::TensorFile now = weights::read_checked(model());
  weights::ModelInfo info = weights::model_info("model", now.metadata());
  info.temperature.reset();
  info.provenance.erase("calibration");
  std::vector<weights::TensorView> tensors;
  for (const weights::TensorInfo& tensor : now.tensors()) {
    tensors.push_back({tensor.name, tensor.type, tensor.shape, now.data(tensor)});
  }
  const std::string checkpoint = read_file(path("run/last.ckpt"));
  weights::write_model_file(OutputPath(model()), tensors, weights::to_metadata(info));
  ASSERT_NE(read_file(model()), whole);
  const Outcome resumed = run_program(world->training("run", {"--epochs", "2", "--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_FALSE(contains(resumed.err, "calibrating")) << resumed.err;
  EXPECT_EQ(read_file(model()), whole);
  EXPECT_EQ(read_file(path("run/last.ckpt")), checkpoint);
  // Again: nothing is left to do.
  const Outcome again = run_program(world->training("run", {"--epochs", "2", "--resume"}));
  EXPECT_TRUE(contains(again.err, "nothing is left to do")) << again.err;
  EXPECT_EQ(read_file(model()), whole);
}

TEST_F(CalibrationCommands, ARunInTwoPartsGetsTheSameOne) {
  const Outcome first =
      run_program(world->training("stopped", {"--epochs", "2", "--max-minutes", "1e-6"}));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_FALSE(fs::exists(path("stopped/best.model"))) << "stopped before the first epoch's end";
  const Outcome ended = run_program(world->training("stopped", {"--epochs", "2", "--resume"}));
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(read_file(path("stopped/best.model")), read_file(model()));
}

TEST_F(CalibrationCommands, WithoutValidationCasesThereIsNone) {
  ASSERT_EQ(run_program({"data", "split", data(), "--out", file("no_val.json"), "--ratios", "0.7",
                         "0", "0.3"})
                .code,
            0);
  Words words = world->training("no_val", {"--epochs", "1"});
  words[4] = file("no_val.json");
  const Outcome outcome = run_program(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "note: no temperature is fitted")) << outcome.err;
  EXPECT_FALSE(about(file("no_val/best.model")).contains("temperature"));
}

}  // namespace
}  // namespace medurwkv
