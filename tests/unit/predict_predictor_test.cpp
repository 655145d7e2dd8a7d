// From image to label map, with engines whose logits are known.
#include "predict/predictor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::predict {
namespace {

// Gives the logits that a function of (class, input value) says.
class FakeEngine : public Engine {
 public:
  using Logit = std::function<float(std::size_t label, float value)>;
  FakeEngine(std::int64_t width, std::int64_t height, std::size_t class_count, Logit logit,
             Fit fit = Fit::stretch)
      : logit_(std::move(logit)) {
    description_.input = {fit, width, height, 1, {0}, {1}};
    for (std::size_t c = 0; c < class_count; ++c) description_.classes.push_back({"class", {}});
    description_.file = "fake.model";
  }
  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape&) const override { return 0; }
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    shapes.push_back(shape);
    const auto pixels = static_cast<std::size_t>(shape.height * shape.width);
    const auto outputs = static_cast<std::size_t>(description_.outputs());
    ASSERT_EQ(logits.size(), input.size() * outputs);
    for (std::size_t i = 0; i < input.size(); ++i) {
      for (std::size_t c = 0; c < outputs; ++c) {
        logits[(i / pixels * outputs + c) * pixels + i % pixels] = logit_(c, input[i]);
      }
    }
  }

  std::vector<BatchShape> shapes;  ///< that were run

 private:
  Logit logit_;
  ModelDescription description_;
};

data::Image gray(std::int64_t width, std::int64_t height,
                 const std::function<int(std::int64_t, std::int64_t)>& value) {
  data::Image image{width, height, 1, data::SampleType::u8, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      image.bytes.push_back(static_cast<unsigned char>(value(x, y)));
    }
  }
  return image;
}

float above_half(std::size_t label, float value) {
  return label == 1 ? 8 * (value - 0.5F) : 0;
}

// At the network's own size nothing is resized: the label map is the threshold, pixel by pixel.
TEST(PredictImage, ThresholdsPixelByPixel) {
  FakeEngine engine(5, 3, 2, above_half);
  const auto value = [](std::int64_t x, std::int64_t y) { return (x + 2 * y) % 3 == 0 ? 255 : 0; };
  const Prediction got = predict_image(engine, gray(5, 3, value));
  for (std::int64_t y = 0; y < 3; ++y) {
    for (std::int64_t x = 0; x < 5; ++x) {
      EXPECT_EQ(got.labels.labels[static_cast<std::size_t>(y * 5 + x)], value(x, y) > 0 ? 1 : 0);
    }
  }
  EXPECT_EQ(engine.shapes, (std::vector<BatchShape>{{1, 3, 5}}));
}

// Sizes that are no multiples of each other or of anything: the map has the image's size, and a
// left and a right half stay where they are.
TEST(PredictImage, GivesTheImagesOwnSize) {
  FakeEngine engine(32, 16, 2, above_half);
  for (const data::ImageSize size : {data::ImageSize{97, 61}, {31, 17}, {7, 5}, {200, 3}}) {
    const auto half = [&](std::int64_t x, std::int64_t) { return 2 * x < size.width ? 0 : 255; };
    const Prediction got = predict_image(engine, gray(size.width, size.height, half));
    ASSERT_EQ(got.labels.width, size.width);
    ASSERT_EQ(got.labels.height, size.height);
    const auto pixels = static_cast<std::size_t>(size.width * size.height);
    ASSERT_EQ(got.labels.labels.size(), pixels);
    ASSERT_EQ(got.probabilities.size(), 2 * pixels);
    for (std::size_t i = 0; i < pixels; ++i) {
      EXPECT_NEAR(got.probabilities[i] + got.probabilities[pixels + i], 1, 1e-5);
    }
    for (std::int64_t y = 0; y < size.height; ++y) {
      const auto first = static_cast<std::size_t>(y * size.width);
      EXPECT_EQ(got.labels.labels[first], 0);
      EXPECT_EQ(got.labels.labels[first + static_cast<std::size_t>(size.width) - 1], 1);
    }
  }
}

// Whatever the fit, a bright rectangle comes back where it was; what is padded does not leak in.
TEST(PredictImage, EveryFitMapsBackToTheImage) {
  for (const Fit fit : all_fits) {
    // Padding (0 after normalisation) would be class 2.
    const auto logit = [](std::size_t c, float value) {
      return c == 2 ? (value == 0 ? 50.0F : -50.0F) : above_half(c, value);
    };
    FakeEngine engine(48, 48, 3, logit, fit);
    const auto inside = [](std::int64_t x, std::int64_t y) {
      return x >= 20 && x < 60 && y >= 10 && y < 25;
    };
    const Prediction got =
        predict_image(engine, gray(96, 40, [&](auto x, auto y) { return inside(x, y) ? 250 : 5; }));
    ASSERT_EQ(got.labels.labels.size(), 96U * 40);
    int wrong = 0;
    for (std::int64_t y = 0; y < 40; ++y) {
      for (std::int64_t x = 0; x < 96; ++x) {
        const int label = got.labels.labels[static_cast<std::size_t>(y * 96 + x)];
        ASSERT_NE(label, 2) << x << " " << y;
        if (label != (inside(x, y) ? 1 : 0)) ++wrong;
      }
    }
    const bool resized = fit == Fit::stretch || fit == Fit::pad;
    EXPECT_LE(wrong, resized ? 2 * (40 + 15) : 0) << "but for the outline";
    if (fit == Fit::native) {
      EXPECT_EQ(engine.shapes, (std::vector<BatchShape>{{1, 40, 96}}));
    }
  }
}

// By hand: logits 0 and ln 3 are probabilities 1/4 and 3/4.
TEST(PredictImage, ProbabilitiesAreTheSoftmax) {
  FakeEngine engine(2, 2, 2, [](std::size_t c, float) { return c == 1 ? std::log(3.0F) : 0.0F; });
  const Prediction got = predict_image(engine, gray(2, 2, [](auto, auto) { return 0; }));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(got.probabilities[i], 0.25, 1e-6);
    EXPECT_NEAR(got.probabilities[4 + i], 0.75, 1e-6);
  }
}

TEST(PredictImage, TiesGoToTheLowerClass) {
  FakeEngine engine(4, 4, 3, [](std::size_t c, float) { return c == 0 ? -1.0F : 2.0F; });
  const Prediction got = predict_image(engine, gray(9, 9, [](auto, auto) { return 10; }));
  for (const std::uint8_t label : got.labels.labels) EXPECT_EQ(label, 1);
}

// Class c wins where the value lies near c / 3: the order of the logits' planes is the labels'.
TEST(PredictImage, KeepsTheOrderOfClasses) {
  FakeEngine engine(4, 1, 4, [](std::size_t c, float value) {
    return -std::abs(value * 3 - static_cast<float>(c));
  });
  const auto ramp = [](std::int64_t x, std::int64_t) { return static_cast<int>(85 * (3 - x)); };
  const Prediction got = predict_image(engine, gray(4, 1, ramp));
  EXPECT_EQ(got.labels.labels, (std::vector<std::uint8_t>{3, 2, 1, 0}));
}

// Logits so large that exp would overflow without taking the largest off first.
TEST(PredictImage, SurvivesLargeLogits) {
  FakeEngine engine(2, 1, 2, [](std::size_t c, float) { return c == 1 ? 3e38F : -3e38F; });
  const Prediction got = predict_image(engine, gray(2, 1, [](auto, auto) { return 0; }));
  EXPECT_EQ(got.probabilities, (std::vector<float>{0, 0, 1, 1}));
}

TEST(PredictImage, RefusesNonFiniteLogits) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  FakeEngine engine(2, 1, 2, [&](std::size_t, float) { return nan; });
  EXPECT_THROW(predict_image(engine, gray(2, 1, [](auto, auto) { return 0; })), Error);
}

data::Image turned(const data::Image& image, bool across, bool down) {
  return gray(image.width, image.height, [&](std::int64_t x, std::int64_t y) {
    const auto at_x = across ? image.width - 1 - x : x;
    const auto at_y = down ? image.height - 1 - y : y;
    return int{image.bytes[static_cast<std::size_t>(at_y * image.width + at_x)]};
  });
}

/// Depends on where a pixel lies in the input, so that mirror images differ.
class LeaningEngine : public FakeEngine {
 public:
  explicit LeaningEngine(float lean, Fit fit = Fit::stretch)
      : FakeEngine(6, 4, 2, above_half, fit), lean_(lean) {}
  void run(const BatchShape& shape, std::span<const float> input,
           std::span<float> logits) override {
    FakeEngine::run(shape, input, logits);
    const auto pixels = static_cast<std::size_t>(shape.height * shape.width);
    for (std::size_t i = 0; i < input.size(); ++i) {
      const std::size_t pixel = i % pixels;
      logits[(i / pixels * 2 + 1) * pixels + pixel] +=
          lean_ * static_cast<float>(pixel) / static_cast<float>(pixels);
    }
  }

 private:
  float lean_;
};

data::Image some_image() {
  return gray(11, 7, [](auto x, auto y) { return static_cast<int>((x * 37 + y * 91) % 256); });
}

std::vector<float> probabilities_alone(Engine& engine, const data::Image& image) {
  const data::Image* const one = &image;
  return probabilities_of(std::move(run_network(engine, {&one, 1}).front()), engine.description());
}

// Images of one input size are a batch; each comes out as it does alone.
TEST(RunNetwork, RunsImagesOfOneInputSizeTogether) {
  for (const Fit fit : {Fit::stretch, Fit::native}) {
    LeaningEngine engine(3, fit);
    const std::vector<data::Image> images{some_image(), turned(some_image(), true, false),
                                          gray(5, 9, [](auto, auto) { return 200; }), some_image()};
    std::vector<const data::Image*> pointers;
    for (const data::Image& image : images) pointers.push_back(&image);
    std::vector<NetworkOutput> outputs = run_network(engine, pointers);
    const bool native = fit == Fit::native;
    EXPECT_EQ(engine.shapes, native ? (std::vector<BatchShape>{{2, 7, 11}, {1, 9, 5}, {1, 7, 11}})
                                    : (std::vector<BatchShape>{{4, 4, 6}}));
    ASSERT_EQ(outputs.size(), images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
      EXPECT_EQ(probabilities_of(std::move(outputs[i]), engine.description()),
                probabilities_alone(engine, images[i]))
          << i;
    }
  }
}

// By hand: the probabilities of the four mirror images, each mirrored back, averaged.
TEST(PredictImage, FlipsAreTheAverageOfMirrorImages) {
  LeaningEngine engine(3);
  const data::Image image = some_image();
  std::vector<double> sum(2 * 77, 0);
  for (const bool across : {false, true}) {
    for (const bool down : {false, true}) {
      EXPECT_EQ(mirrored(image, across, down).bytes, turned(image, across, down).bytes);
      const std::vector<float> one = probabilities_alone(engine, turned(image, across, down));
      for (std::size_t c = 0; c < 2; ++c) {
        for (std::size_t y = 0; y < 7; ++y) {
          for (std::size_t x = 0; x < 11; ++x) {
            const std::size_t from_y = down ? 6 - y : y;
            const std::size_t from_x = across ? 10 - x : x;
            sum[c * 77 + y * 11 + x] += one[c * 77 + from_y * 11 + from_x];
          }
        }
      }
    }
  }
  const Prediction got = predict_image(Ensemble({&engine}, true), image);
  const Prediction plain = predict_image(engine, image);
  double differ = 0;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    ASSERT_NEAR(got.probabilities[i], sum[i] / 4, 1e-6) << i;
    differ += std::abs(got.probabilities[i] - plain.probabilities[i]);
  }
  EXPECT_GT(differ, 1);
  EXPECT_EQ(got.labels, likeliest_class(got.probabilities, 2, {11, 7}));
}

TEST(PredictImage, AnEnsembleIsTheAverageOfItsModels) {
  LeaningEngine a(3);
  LeaningEngine b(-5);
  FakeEngine c(9, 9, 2, above_half, Fit::pad);  // its own input size and fit
  const data::Image image = some_image();
  const Prediction got = predict_image(Ensemble({&a, &b, &c}, false), image);
  const auto of_a = probabilities_alone(a, image);
  const auto of_b = probabilities_alone(b, image);
  const auto of_c = probabilities_alone(c, image);
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    EXPECT_NEAR(got.probabilities[i], (of_a[i] + of_b[i] + of_c[i]) / 3, 1e-6);
  }
}

TEST(PredictImage, OnlyModelsOfTheSameClassesAreAveraged) {
  FakeEngine two(4, 4, 2, above_half);
  FakeEngine three(4, 4, 3, above_half);
  EXPECT_NO_THROW(check_same_classes(Ensemble({&two, &two}, false)));
  EXPECT_THROW(check_same_classes(Ensemble({&two, &three}, false)), Error);
}

TEST(PredictImage, UnsureIsTheGapBetweenTheFirstTwo) {
  const std::vector<float> probabilities{0.5F, 0.1F, 0.0F, 0.2F, 0.5F, 0.2F,
                                         0.0F, 0.2F, 0.0F, 0.7F, 1.0F, 0.6F};
  const std::vector<float> unsure = unsureness(probabilities, 3);
  const std::vector<float> expected{1, 0.5F, 0, 0.6F};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(unsure[i], expected[i], 1e-6);
}

}  // namespace
}  // namespace medurwkv::predict
