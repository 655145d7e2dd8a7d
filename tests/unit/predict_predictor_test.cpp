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
  std::vector<float> logits(std::span<const float> input, std::int64_t height,
                            std::int64_t width) override {
    seen_height = height;
    seen_width = width;
    std::vector<float> out;
    for (std::size_t c = 0; c < description_.classes.size(); ++c) {
      for (const float value : input) out.push_back(logit_(c, value));
    }
    return out;
  }

  std::int64_t seen_height = 0;
  std::int64_t seen_width = 0;

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
  EXPECT_EQ(engine.seen_height, 3);
  EXPECT_EQ(engine.seen_width, 5);
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
  for (const Fit fit : {Fit::stretch, Fit::pad, Fit::native}) {
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
    EXPECT_LE(wrong, fit == Fit::native ? 0 : 2 * (40 + 15)) << "but for the outline";
    if (fit == Fit::native) {
      EXPECT_EQ(engine.seen_width, 96);
      EXPECT_EQ(engine.seen_height, 40);
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
  explicit LeaningEngine(float lean) : FakeEngine(6, 4, 2, above_half), lean_(lean) {}
  std::vector<float> logits(std::span<const float> input, std::int64_t height,
                            std::int64_t width) override {
    std::vector<float> out = FakeEngine::logits(input, height, width);
    for (std::size_t i = 0; i < input.size(); ++i) {
      out[input.size() + i] += lean_ * static_cast<float>(i) / static_cast<float>(input.size());
    }
    return out;
  }

 private:
  float lean_;
};

data::Image some_image() {
  return gray(11, 7, [](auto x, auto y) { return static_cast<int>((x * 37 + y * 91) % 256); });
}

// By hand: the probabilities of the four mirror images, each mirrored back, averaged.
TEST(PredictImage, FlipsAreTheAverageOfMirrorImages) {
  LeaningEngine engine(3);
  const data::Image image = some_image();
  std::vector<double> sum(2 * 77, 0);
  for (const bool across : {false, true}) {
    for (const bool down : {false, true}) {
      EXPECT_EQ(mirrored(image, across, down).bytes, turned(image, across, down).bytes);
      const std::vector<float> one = probabilities_of(engine, turned(image, across, down));
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
  const auto of_a = probabilities_of(a, image);
  const auto of_b = probabilities_of(b, image);
  const auto of_c = probabilities_of(c, image);
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
