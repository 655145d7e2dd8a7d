// The evaluation of a predictor over files on disk.
#include "judge/evaluation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "data/codecs/read.h"
#include "support/listener.h"

namespace medurwkv::judge {
namespace {

namespace fs = std::filesystem;

// Each image is its own mask (0 and 255), so that a threshold is a perfect predictor.
class Evaluate : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(testing::TempDir()) / ("medurwkv_evaluate_" + std::to_string(::getpid()));
    fs::remove_all(folder);
    make_folder(folder);
    dataset.root = folder;
    dataset.encoding = data::MaskEncoding::binary;
    dataset.classes = {{"background", {}}, {"object", {}}};
  }
  void TearDown() override { fs::remove_all(folder); }

  data::Case add(const std::string& id, const data::LabelMap& truth) {
    data::Image image{truth.width, truth.height, 1, data::SampleType::u8, {}, {}};
    for (const std::uint8_t label : truth.labels) image.bytes.push_back(label != 0 ? 255 : 0);
    const fs::path file = folder / (id + ".png");
    write_file(file, data::encode_png(image));
    data::Case item;
    item.id = id;
    item.group = id;
    item.images = {{file}};
    item.masks = {{file}};
    dataset.cases.push_back(item);
    return item;
  }

  fs::path folder;
  data::Dataset dataset;
  EvaluationOptions options;
  test::KeepingListener listener;
};

std::vector<PredictedCase> threshold(const data::Case& item, const data::LabelMap& /*truth*/) {
  const data::Image image = data::read_image(item);
  data::LabelMap out{image.width, image.height, {}};
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      out.labels.push_back(image.value(x, y, 0) > 0.5F ? 1 : 0);
    }
  }
  return {{out}};
}

std::vector<PredictedCase> nothing(const data::Case& /*item*/, const data::LabelMap& truth) {
  return {{{truth.width, truth.height, std::vector<std::uint8_t>(truth.labels.size(), 0)}}};
}

// Two predictors: the perfect one, which is certain, and one that finds nothing.
std::vector<PredictedCase> two(const data::Case& item, const data::LabelMap& truth) {
  std::vector<PredictedCase> out = threshold(item, truth);
  for (const int label : {0, 1}) {
    for (const int own : out.front().labels.labels) {
      out.front().probabilities.push_back(own == label ? 1.0F : 0.0F);
    }
  }
  out.push_back(nothing(item, truth).front());
  return out;
}

// Two classes of one shape each, class 2 in the corner of every case: each has its own ellipse, and
// what the model's mean over classes is compared with is the mean of theirs.
TEST_F(Evaluate, GuessesEachClassByItself) {
  dataset.encoding = data::MaskEncoding::index;
  dataset.classes = {{"background", {}}, {"disc", {}}, {"corner", {}}, {"never", {}}};
  data::LabelMap truth = rasterise({0.3, 0.3}, {100, 80});
  truth.labels[0] = 2;
  data::Image image{100, 80, 1, data::SampleType::u8, truth.labels, {}};
  write_file(folder / "a.png", data::encode_png(image));
  data::Case item;
  item.id = item.group = "a";
  item.images = item.masks = {{folder / "a.png"}};
  dataset.cases = {item};
  const Evaluation got =
      evaluate(dataset, dataset.cases, dataset.cases, nothing, options, listener).at(0);
  ASSERT_TRUE(got.guess);
  ASSERT_EQ(got.guess->classes.size(), 3U);
  const auto& [disc, corner, never] =
      std::tie(got.guess->classes[0], got.guess->classes[1], got.guess->classes[2]);
  EXPECT_NEAR(disc.ellipse->semi_axis_x, 0.3, 0.02);
  EXPECT_GT(disc.dice.at(0).value(), 0.97);
  // The smallest ellipse that holds the corner holds nearly all; its Dice is next to nothing.
  EXPECT_LT(corner.dice.at(0).value(), 0.01);
  EXPECT_FALSE(never.ellipse);
  EXPECT_FALSE(never.dice.at(0)) << "neither in the truth nor guessed";
  const double mean = (disc.dice[0].value() + corner.dice[0].value()) / 2;
  EXPECT_DOUBLE_EQ(got.guess->like().mean.value(), mean);
  EXPECT_GT(got.guess->summary.mean.value(), 0.97) << "all classes merged";
  EXPECT_EQ(got.confusion.at(2).at(0), 1);
}

// The guess is fitted on the training masks alone: on cases of the same shape it is as good as
// perfect, on a narrow one in another place it scores 0.
TEST_F(Evaluate, ScoresModelAndGuessOnTheSameCases) {
  const data::LabelMap round = rasterise({0.3, 0.3}, {100, 80});
  const std::vector<data::Case> train{add("t1", round), add("t2", round)};
  data::LabelMap corner{100, 80, std::vector<std::uint8_t>(8000, 0)};
  corner.labels[0] = 1;
  const std::vector<data::Case> cases{add("a", round), add("b", corner)};
  const Evaluation perfect = evaluate(dataset, train, cases, threshold, options, listener).at(0);
  ASSERT_EQ(perfect.cases.size(), 2U);
  EXPECT_EQ(perfect.cases[0].id, "a");
  EXPECT_EQ(perfect.summary.class_mean[0].mean, 1.0);
  ASSERT_TRUE(perfect.guess);
  EXPECT_EQ(perfect.guess->fitted_on, 2);
  ASSERT_EQ(perfect.guess->dice.size(), 2U);
  EXPECT_GT(perfect.guess->dice[0].value(), 0.97);
  EXPECT_EQ(perfect.guess->dice[1], 0.0);
  const Evaluation empty = evaluate(dataset, train, cases, nothing, options, listener).at(0);
  EXPECT_EQ(empty.summary.classes.front().missed, 2);
  EXPECT_EQ(empty.summary.class_mean[0].mean, 0.0);
}

TEST_F(Evaluate, ScoresSeveralPredictorsAndProfiles) {
  const std::vector<data::Case> cases{add("a", rasterise({0.3, 0.3}, {20, 20}))};
  options.profiles = {"default", "medpy", "pooled"};
  const auto both = evaluate(dataset, {}, cases, two, options, listener);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].summary.class_mean[0].mean, 1.0);
  EXPECT_EQ(both[1].summary.class_mean[0].mean, 0.0);
  ASSERT_EQ(both[0].profiles.size(), 3U);
  EXPECT_EQ(both[0].profiles[1].profile, "medpy");
  EXPECT_EQ(both[0].profiles[2].mean("dice"), 1.0);
  ASSERT_TRUE(both[0].calibration);
  EXPECT_EQ(both[0].calibration->all.expected_error(), 0.0);
  EXPECT_FALSE(both[1].calibration);
  EXPECT_FALSE(both[0].uncalibrated);
}

// The probabilities before the temperature are judged beside those after it, on the same labels.
TEST_F(Evaluate, JudgesProbabilitiesBeforeAndAfterATemperature) {
  const std::vector<data::Case> cases{add("a", {2, 1, {0, 1}})};
  const PredictCase predict = [](const data::Case&, const data::LabelMap& truth) {
    PredictedCase answer{truth, {0.9F, 0.1F, 0.1F, 0.9F}, {0.6F, 0.4F, 0.4F, 0.6F}};
    return std::vector<PredictedCase>{answer};
  };
  const Evaluation got = evaluate(dataset, {}, cases, predict, options, listener).at(0);
  EXPECT_NEAR(got.calibration.value().all.expected_error().value(), 0.1, 1e-7);
  EXPECT_NEAR(got.uncalibrated.value().all.expected_error().value(), 0.4, 1e-7);
}

// The same pair with pixels of 1 and of 3: a missed object costs the image's diagonal.
TEST_F(Evaluate, SpacingMayDifferByCase) {
  const data::LabelMap round = rasterise({0.3, 0.3}, {30, 40});
  const std::vector<data::Case> cases{add("a", round), add("b,b", round)};
  const fs::path file = folder / "sizes.csv";
  write_file(file, "spacing_x,note,id,spacing_y\r\n1,x,a,1\r\n3,,\"b,b\",3\r\n");
  options.spacing = read_spacing(file);
  options.profiles = {"default", "medpy"};
  const Evaluation got = evaluate(dataset, {}, cases, nothing, options, listener).at(0);
  EXPECT_DOUBLE_EQ(got.cases[0].classes[0].hd95.value(), 50);
  EXPECT_DOUBLE_EQ(got.cases[1].classes[0].hd95.value(), 150);
  options.spacing.erase("a");
  EXPECT_THROW(evaluate(dataset, {}, cases, nothing, options, listener), Error);
  for (const char* broken : {"", "id,spacing_x\na,1\n", "id,spacing_x,spacing_y\na,1\n",
                             "id,spacing_x,spacing_y\na,1,0\n", "id,spacing_x,spacing_y\na,1,y\n",
                             "id,spacing_x,spacing_y\na,1,1\na,1,1\n"}) {
    write_file(file, broken);
    EXPECT_THROW(read_spacing(file), Error) << broken;
  }
}

TEST_F(Evaluate, WithoutTrainingMasksThereIsNoGuess) {
  const std::vector<data::Case> cases{add("a", rasterise({0.3, 0.3}, {20, 20}))};
  EXPECT_FALSE(evaluate(dataset, {}, cases, threshold, options, listener).at(0).guess);
}

TEST_F(Evaluate, RefusesAnEmptyPartAndStops) {
  EXPECT_THROW(evaluate(dataset, {}, {}, threshold, options, listener), Error);
  const std::vector<data::Case> cases{add("a", rasterise({0.3, 0.3}, {20, 20}))};
  listener.stop = 2;
  EXPECT_THROW(evaluate(dataset, {}, cases, threshold, options, listener), Stopped);
}

// A case that cannot be read ends the evaluation instead of silently leaving the mean.
TEST_F(Evaluate, ABadCaseIsAnError) {
  const std::vector<data::Case> cases{add("a", rasterise({0.3, 0.3}, {20, 20}))};
  write_file(cases.front().images.front().file, "no image");
  EXPECT_THROW(evaluate(dataset, {}, cases, threshold, options, listener), Error);
}

}  // namespace
}  // namespace medurwkv::judge
