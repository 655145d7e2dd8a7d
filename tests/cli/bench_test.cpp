// `bench` as a user types it: its shares against a roofline worked out by hand, its times against
// the time it took, its memory against what the network is known to need; what it refuses.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "net/parameters.h"
#include "net/presets.h"
#include "plan/plan.h"
#include "support/process.h"
#include "weights/model_file.h"

namespace medurwkv {
namespace {

using nlohmann::json;
using test::contains;
using test::Outcome;
using test::run_program;
using test::Words;
using test::operator+;

double number(const json& from, const char* key) {
  return from.at(key).get<double>();
}

double median(const json& from, const char* key) {
  return number(from.at(key), "median");
}

/// The roofline of the plain U-Net, by the rules of docs/performance.md and none of our code: 16
/// channels at the first level, 3 channels in, 2 classes.
class UnetRoofline {
 public:
  UnetRoofline(double batch, double side, double flops_per_second, double bytes_per_second)
      : batch_(batch), flops_(flops_per_second), bytes_(bytes_per_second) {
    double width = 16;
    double_convolution(3, width, side, true);
    for (int level = 0; level < 4; ++level) {
      side /= 2;
      pool(width, side);
      double_convolution(width, 2 * width, side, false);
      width *= 2;
    }
    for (int level = 0; level < 4; ++level) {
      const double wide = numbers(width, side);
      side *= 2;
      width /= 2;
      const double fine = numbers(width, side);
      product(2 * 4 * width * wide, wide, fine, 2 * width * width * 4, width, false);
      // Joined with the skip: read both, write all; backward the other way round.
      add(0, 4 * fine);
      back(0, 4 * fine);
      double_convolution(2 * width, width, side, false);
    }
    const double logits = numbers(2, side);
    product(2 * width * logits, numbers(width, side), logits, 2 * width, 2, false);
    const double labels = 8 * numbers(1, side);
    back(0, logits + labels / 4);
    back(0, 2 * logits + labels / 4);
    back(0, 7 * parameters_);
  }
  [[nodiscard]] double forward() const { return forward_; }
  [[nodiscard]] double step() const { return forward_ + backward_; }
  [[nodiscard]] double parameters() const { return parameters_; }

 private:
  [[nodiscard]] double numbers(double channels, double side) const {
    return batch_ * channels * side * side;
  }
  [[nodiscard]] double seconds(double flops, double floats) const {
    return std::max(flops / flops_, 4 * floats / bytes_);
  }
  void add(double flops, double floats) { forward_ += seconds(flops, floats); }
  void back(double flops, double floats) { backward_ += seconds(flops, floats); }

  void product(double flops, double x, double y, double weight, double bias, bool on_image) {
    add(flops, x + weight + bias + y);
    if (!on_image) back(flops, y + weight + x);
    back(flops, y + weight + x + bias);
    parameters_ += weight + bias;
  }
  void double_convolution(double in, double out, double side, bool on_image) {
    for (const double from : {in, out}) {
      const double y = numbers(out, side);
      product(2 * 9 * from * y, numbers(from, side), y, 9 * from * out, 0, on_image && from == in);
      // Batch normalisation with weight, bias, mean and variance, and its ReLU in the same pass.
      add(0, 2 * y + 4 * out);
      back(0, y + (y + 2 * out) + (y + 4 * out));
      parameters_ += 2 * out;
    }
  }
  void pool(double width, double side) {
    const double x = numbers(width, 2 * side);
    const double y = numbers(width, side);
    add(0, x + y);
    back(0, y + 2 * x);
  }

  double batch_, flops_, bytes_;
  double forward_ = 0;
  double backward_ = 0;
  double parameters_ = 0;
};

void expect_near(double value, double expected, const char* what) {
  EXPECT_NEAR(value, expected, 1e-6 * expected) << what;
}

// One round, so that medians are the round's own figures.
TEST(Bench, SharesAreTheRooflineWorkedOutByHandOverTheTime) {
  const Outcome outcome = run_program({"bench", "--preset", "unet_small", "--size", "64", "--batch",
                                       "3", "--rounds", "1", "--threads", "1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "measuring 64 x 64")) << outcome.err;
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer.at("threads"), 1);
  const json& size = answer.at("sizes").at(0);
  for (const char* what : {"prediction", "training_step"}) {
    const json& part = size.at(what);
    const bool trains = part == size.at("training_step");
    const double images = trains ? 3 : 1;
    const UnetRoofline roofline(images, 64, 1e9 * median(part.at("limits"), "fma_gflops"),
                                1e9 * median(part.at("limits"), "triad_gb_s"));
    ASSERT_EQ(roofline.parameters(), 1942594) << "docs/architecture.md: the same network";
    const double bound = trains ? roofline.step() : roofline.forward();
    expect_near(number(part, "bound_seconds"), bound, what);
    expect_near(median(part, "share"), bound / median(part, "seconds"), "share");
    EXPECT_EQ(number(part, "images"), images);
    // A busy machine has made its limits look half as high.
    EXPECT_LT(median(part, "share"), 4) << "faster than the machine";
  }
}

// The rounds are most of what the program does: what it says of them fits into the time it took,
// and makes up a good part of it.
TEST(Bench, TimesFitIntoTheTimeItTook) {
  constexpr int rounds = 10;
  const Outcome outcome =
      run_program({"bench", "--preset", "unet_small", "--size", "64", "--batch", "8", "--rounds",
                   std::to_string(rounds), "--threads", "1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json size = json::parse(outcome.out).at("sizes").at(0);
  const double round = median(size.at("training_step"), "seconds");
  EXPECT_LT(rounds * round, 1.2 * outcome.seconds);
  EXPECT_GT(rounds * round, outcome.seconds / 20);
  // By the multiply-adds a 24th; a busy machine has made it an 8th.
  EXPECT_LT(median(size.at("prediction"), "seconds"), round / 3);
}

// Weights, AdamW's moments and gradients are four numbers a parameter; what is expected and what
// was held are near each other (docs/performance.md).
TEST(Bench, MemoryIsAtLeastTheParametersAndNearWhatIsExpected) {
  const Outcome outcome = run_program({"bench", "--preset", "small", "--size", "64", "--batch", "1",
                                       "--rounds", "1", "--threads", "1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json size = json::parse(outcome.out).at("sizes").at(0);
  const double weights = 4 * 52903666.0;
  const json& prediction = size.at("prediction");
  const json& step = size.at("training_step");
  EXPECT_GT(number(prediction, "peak_memory_bytes"), weights);
  EXPECT_LT(number(prediction, "peak_memory_bytes"), 4 * weights) << "no moments, no gradients";
  EXPECT_GT(number(step, "peak_memory_bytes"), 4 * weights);
  for (const json& part : {prediction, step}) {
    const double ratio = number(part, "peak_memory_bytes") / number(part, "expected_memory_bytes");
    EXPECT_GT(ratio, 0.6) << part;
    EXPECT_LT(ratio, 1.5) << part;
  }
}

// What the steps took by themselves makes up the whole, and every product of the network is there.
TEST(Bench, AProfileAddsUpToThePrediction) {
  const Outcome outcome = run_program({"bench", "--preset", "nano", "--size", "128", "--rounds",
                                       "9", "--threads", "1", "--profile", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json size = json::parse(outcome.out).at("sizes").at(0);
  double seconds = 0;
  double share = 0;
  double gflop = 0;
  for (const json& one : size.at("profile")) {
    seconds += number(one, "seconds");
    share += number(one, "share");
    gflop += number(one, "gflop");
    EXPECT_GT(number(one, "count"), 0) << one;
  }
  EXPECT_NEAR(share, 1, 1e-9);
  const json& prediction = size.at("prediction");
  EXPECT_NEAR(gflop, number(prediction, "gflop"), 0.01 * number(prediction, "gflop"));
  // Medians of each by itself: less than the whole's where the machine is busy.
  EXPECT_LT(seconds, 1.5 * median(prediction, "seconds"));
  EXPECT_GT(seconds, 0.2 * median(prediction, "seconds"));
}

// A busy machine makes the share smaller.
TEST(Bench, OneThreadTakesNoMoreThanOneCore) {
  const auto processor_seconds = [] {
    rusage used{};
    getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  };
  const double before = processor_seconds();
  const Outcome outcome = run_program({"bench", "--preset", "tiny", "--size", "128", "--rounds",
                                       "10", "--batch", "1", "--threads", "1", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_LT(processor_seconds() - before, 1.1 * outcome.seconds);
}

TEST(Bench, GivesATableForPeople) {
  const Outcome outcome =
      run_program({"bench", "--preset", "nano", "--size", "64", "96", "--quick", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char* word : {"LibTorch", "oneDNN", "our kernels", "nano (segmentation) at 64 x 64",
                           "nano (segmentation) at 96 x 96", "GFLOP/s", "GB/s", "prediction",
                           "training step of 4", "images/s", " %", "expected"}) {
    EXPECT_TRUE(contains(outcome.out, word)) << word << "\n" << outcome.out;
  }
}

// A model's own size and channels.
TEST(Bench, MeasuresAModelFile) {
  const net::NetworkConfig network = net::preset("nano", 3, 1);
  std::vector<std::vector<float>> values;
  std::vector<std::int64_t> counter{0};
  std::vector<weights::TensorView> tensors;
  for (const net::ParameterSpec& spec : plan::parameters_of(network)) {
    values.push_back(net::initial_values(spec, 1));
    const auto bytes = spec.integer
                           ? std::string_view(reinterpret_cast<char*>(counter.data()), 8)
                           : std::string_view(reinterpret_cast<char*>(values.back().data()),
                                              4 * values.back().size());
    tensors.push_back(
        {spec.name, spec.integer ? weights::DType::i64 : weights::DType::f32, spec.shape, bytes});
  }
  weights::ModelInfo info{.network = network,
                          .input = {.width = 96, .height = 64, .channels = 1},
                          .heads = {segmentation_head({{"background"}, {"left"}, {"right"}})}};
  info.input.mean = {0.4};
  info.input.deviation = {0.2};
  const test::TemporaryFolder folder;
  const std::string model = (folder.path() / "a.model").string();
  weights::write_model_file(model, tensors, weights::to_metadata(info));
  const Outcome outcome = run_program({"bench", model, "--rounds", "1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json answer = json::parse(outcome.out);
  EXPECT_EQ(answer.at("network"), "nano");
  EXPECT_EQ(answer.at("sizes").at(0).at("width"), 96);
  EXPECT_EQ(answer.at("sizes").at(0).at("height"), 64);
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  const auto refused = [](const Words& words, const std::string& hint) {
    const Outcome outcome = run_program(Words{"bench"} + words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, hint)) << outcome.err;
  };
  for (const char* size : {"63", "0", "many", "4097"}) refused({"--size", size}, "--size");
  refused({"--batch", "0"}, "--batch");
  refused({"--threads", "-1"}, "--threads");
  refused({"--preset", "tinny"}, "did you mean tiny?");
  refused({"a.model", "--preset", "tiny"}, "--preset");
  refused({"--quick", "--rounds", "3"}, "--quick");
}

}  // namespace
}  // namespace medurwkv
