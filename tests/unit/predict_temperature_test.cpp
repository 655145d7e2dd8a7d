// The temperature: what it does to probabilities, which one fits, which pixels are asked, and where
// in a prediction it acts. Expected values by hand, by a search over a grid, and by laws.
#include "predict/temperature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "core/model_description.h"
#include "core/random.h"
#include "predict/predictor.h"

namespace medurwkv::predict {
namespace {

using Planes = std::vector<float>;

void expect_near(const Planes& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
}

Planes with_temperature(Planes probabilities, std::size_t class_count, double temperature) {
  apply_temperature(probabilities, class_count, temperature);
  return probabilities;
}

// sqrt(1/5) : sqrt(4/5) = 1 : 2, and 1^2 : 4^2 = 1 : 16; sqrt of 1 : 4 : 16 is 1 : 2 : 4.
TEST(ApplyTemperature, IsThePowerNormalised) {
  expect_near(with_temperature({0.2F, 0.8F}, 2, 2), {1.0 / 3, 2.0 / 3});
  expect_near(with_temperature({0.2F, 0.8F}, 2, 0.5), {1.0 / 17, 16.0 / 17});
  expect_near(with_temperature({1 / 21.0F, 4 / 21.0F, 16 / 21.0F}, 3, 2),
              {1.0 / 7, 2.0 / 7, 4.0 / 7});
  // Two pixels: planes by class.
  expect_near(with_temperature({0.2F, 0.8F, 0.8F, 0.2F}, 2, 2),
              {1.0 / 3, 2.0 / 3, 2.0 / 3, 1.0 / 3});
}

TEST(ApplyTemperature, LeavesTheExtremesFinite) {
  for (const double temperature : {least_temperature, 0.3, 3.0, most_temperature}) {
    expect_near(with_temperature({0, 1}, 2, temperature), {0, 1});
    expect_near(with_temperature({0.25F, 0.25F, 0.25F, 0.25F}, 4, temperature),
                {0.25, 0.25, 0.25, 0.25});
    // The tenth power of all three is 0 in float.
    const Planes small = with_temperature({1e-30F, 2e-30F, 1e-38F}, 3, temperature);
    EXPECT_NEAR(std::accumulate(small.begin(), small.end(), 0.0), 1, 1e-6) << temperature;
  }
  const Planes as_they_are{0.1F, 0.2F, 0.7F};
  EXPECT_EQ(with_temperature(as_they_are, 3, 1), as_they_are);
}

// Of a softmax it is the softmax of its logits over T.
TEST(ApplyTemperature, DividesTheLogitsOfASoftmax) {
  const Random random(7, "logits");
  constexpr std::size_t classes = 5;
  constexpr std::size_t pixels = 300;
  Planes logits(classes * pixels);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(3 * random.normal(i));
  }
  for (const double temperature : {0.4, 1.7}) {
    Planes probabilities = logits;
    softmax_over_classes(probabilities, classes);
    Planes divided = logits;
    for (float& one : divided) one /= static_cast<float>(temperature);
    softmax_over_classes(divided, classes);
    const Planes got = with_temperature(probabilities, classes, temperature);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], divided[i], 2e-6);
  }
}

/// `count` pixels of two classes, all with the probability `likely` of class 1, which is the truth
/// of `right` of them.
TruePixels two_classes(std::size_t count, float likely, std::size_t right) {
  TruePixels out;
  out.probabilities.assign(count, 1 - likely);
  out.probabilities.insert(out.probabilities.end(), count, likely);
  out.truth.assign(count, 0);
  std::fill_n(out.truth.begin(), right, std::uint8_t{1});
  return out;
}

// The best probability of a class that is right in 2 of 3 pixels is 2/3: from 4/5, whose square
// root is in the ratio 1 : 2, that is T = 2. The likelihoods are those of a coin.
TEST(FitTemperature, IsTheOneThatMakesConfidenceTheShareThatIsRight) {
  const TemperatureFit soft = fit_temperature(two_classes(30, 0.8F, 20), 2);
  EXPECT_NEAR(soft.temperature, 2, 1e-5);
  EXPECT_FALSE(soft.at_bound);
  EXPECT_NEAR(soft.likelihood_before, -(2 * std::log(0.8) + std::log(0.2)) / 3, 1e-6);
  EXPECT_NEAR(soft.likelihood_after, -(2 * std::log(2.0 / 3) + std::log(1.0 / 3)) / 3, 1e-6);
  // Right in 4 of 5 with 2/3: 1 : 2 becomes 1 : 4.
  const TemperatureFit sharp = fit_temperature(two_classes(50, 2 / 3.0F, 40), 2);
  EXPECT_NEAR(sharp.temperature, 0.5, 1e-5);
  EXPECT_NEAR(fit_temperature(two_classes(50, 0.8F, 40), 2).temperature, 1, 1e-5);
}

/// By definition: the mean of -log(p^(1/T) / sum p^(1/T)) of the truth.
double likelihood(const TruePixels& pixels, std::size_t class_count, double temperature) {
  const std::size_t count = pixels.truth.size();
  double out = 0;
  for (std::size_t i = 0; i < count; ++i) {
    double sum = 0;
    double own = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      const double power = std::pow(pixels.probabilities[c * count + i], 1 / temperature);
      sum += power;
      if (c == pixels.truth[i]) own = power;
    }
    out -= std::log(own / sum);
  }
  return out / static_cast<double>(count);
}

// Pixels whose truth is drawn by softmax(logits / t): the best T of a grid, and nearly t.
TEST(FitTemperature, FindsTheBestOfAGrid) {
  constexpr std::size_t classes = 4;
  constexpr std::size_t count = 3000;
  const Random random(3, "truth");
  for (const double drawn : {0.45, 1.0, 2.6}) {
    TruePixels pixels;
    pixels.probabilities.resize(classes * count);
    for (std::size_t i = 0; i < pixels.probabilities.size(); ++i) {
      pixels.probabilities[i] = static_cast<float>(2 * random.normal(i));
    }
    softmax_over_classes(pixels.probabilities, classes);
    const Planes honest = with_temperature(pixels.probabilities, classes, drawn);
    for (std::size_t i = 0; i < count; ++i) {
      double left = random.uniform(1'000'000 + i);
      std::uint8_t truth = 0;
      while (truth + 1U < classes && (left -= honest[truth * count + i]) > 0) ++truth;
      pixels.truth.push_back(truth);
    }
    double best = 0;
    double least = 1e9;
    for (double t = 0.2; t < 6; t *= 1.005) {
      if (const double value = likelihood(pixels, classes, t); value < least) {
        least = value;
        best = t;
      }
    }
    const TemperatureFit fit = fit_temperature(pixels, classes);
    EXPECT_NEAR(fit.temperature / best, 1, 0.005);
    EXPECT_LE(fit.likelihood_after, least + 1e-6);
    EXPECT_NEAR(fit.likelihood_before, likelihood(pixels, classes, 1), 1e-6);
    EXPECT_NEAR(fit.temperature / drawn, 1, 0.1);
  }
}

TEST(FitTemperature, EndsAtItsBoundsAndSaysSo) {
  const TemperatureFit always = fit_temperature(two_classes(10, 0.9F, 10), 2);
  EXPECT_EQ(always.temperature, least_temperature);
  EXPECT_TRUE(always.at_bound);
  const TemperatureFit never = fit_temperature(two_classes(10, 0.9F, 0), 2);
  EXPECT_EQ(never.temperature, most_temperature);
  EXPECT_TRUE(never.at_bound);
  // No temperature changes these.
  const TemperatureFit any = fit_temperature(two_classes(10, 0.5F, 3), 2);
  EXPECT_EQ(any.temperature, 1);
  EXPECT_FALSE(any.at_bound);
}

// Nine pixels right for sure and one wrong for sure: log 0 is counted as that of the smallest
// normal float, and T grows.
TEST(FitTemperature, BearsAProbabilityOfZero) {
  const TemperatureFit fit = fit_temperature(two_classes(10, 1, 9), 2);
  EXPECT_NEAR(fit.likelihood_before, -std::log(1.17549435e-38) / 10, 1e-4);
  // 1 : 9 is exp(-87.3365 / T).
  EXPECT_TRUE(fit.at_bound);
  EXPECT_EQ(fit.temperature, most_temperature);
  EXPECT_TRUE(std::isfinite(fit.likelihood_after));
}

/// Pixels whose class 1 has their number as its probability.
Planes numbered(std::size_t from, std::size_t count) {
  Planes out(count, 0);
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<float>(from + i));
  return out;
}

TEST(PixelSample, HoldsAllOfFewPixelsButThoseWithoutATruth) {
  PixelSample sample(2, 10);
  const std::vector<std::uint8_t> truth{0, 255, 1, 2, 1};
  sample.add(truth, numbered(0, 5));
  EXPECT_EQ(sample.seen(), 3);
  const TruePixels got = sample.take();
  EXPECT_EQ(got.truth, (std::vector<std::uint8_t>{0, 1, 1}));
  EXPECT_EQ(got.probabilities, (Planes{0, 0, 0, 0, 2, 4}));
  EXPECT_TRUE(sample.take().truth.empty());
}

// Of many it holds between half of its room and all of it, spread alike over all of them, whatever
// the pieces in which they come.
TEST(PixelSample, IsSpreadOverManyPixels) {
  constexpr std::size_t count = 100'000;
  constexpr std::size_t most = 4000;
  const std::vector<std::uint8_t> truth(count, 1);
  PixelSample whole(2, most);
  whole.add(truth, numbered(0, count));
  PixelSample pieces(2, most);
  for (std::size_t from = 0; from < count; from += 700) {
    const std::size_t some = std::min<std::size_t>(700, count - from);
    pieces.add(std::span(truth).first(some), numbered(from, some));
  }
  EXPECT_EQ(whole.seen(), static_cast<std::int64_t>(count));
  const TruePixels got = whole.take();
  EXPECT_EQ(pieces.take().probabilities, got.probabilities);
  const std::size_t held = got.truth.size();
  EXPECT_LE(held, most);
  EXPECT_GT(held, most * 2 / 5);
  // Each tenth of the pixels gives a tenth of the sample: 5 standard deviations of a binomial.
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    const auto in = std::count_if(
        got.probabilities.begin() + static_cast<std::ptrdiff_t>(held), got.probabilities.end(),
        [&](float number) { return static_cast<std::size_t>(number) * 10 / count == tenth; });
    const auto expected = static_cast<double>(held) / 10;
    EXPECT_NEAR(static_cast<double>(in), expected, 5 * std::sqrt(expected)) << tenth;
  }
}

TEST(CommonTemperature, IsTheGeometricMean) {
  EXPECT_DOUBLE_EQ(common_temperature({2.0, 8.0}), 4);
  EXPECT_DOUBLE_EQ(common_temperature({4.0, std::nullopt}), 2) << "without one it counts as 1";
  EXPECT_EQ(common_temperature({1.3}), 1.3);
  EXPECT_EQ(common_temperature({std::nullopt}), 1);
  EXPECT_EQ(common_temperature({std::nullopt, std::nullopt}), 1);
}

// Also where probabilities differ so little that a high temperature makes them one.
TEST(Decide, ATemperatureLeavesTheLikeliestClassesBitForBit) {
  const Random random(11, "labels");
  constexpr std::size_t classes = 3;
  constexpr std::int64_t width = 200;
  constexpr std::int64_t height = 50;
  constexpr std::size_t pixels = width * height;
  Planes probabilities(classes * pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const bool close = i % 2 == 0;
    for (std::size_t c = 0; c < classes; ++c) {
      const double value = random.uniform(classes * i + c);
      probabilities[c * pixels + i] = static_cast<float>(close ? (1 + 1e-6 * value) / 3 : value);
    }
  }
  const Prediction before{.labels = likeliest_class(probabilities, classes, {width, height}),
                          .probabilities = probabilities};
  for (const double temperature : {least_temperature, 0.7, 1.9, most_temperature}) {
    Prediction after = before;
    decide(after, classes, temperature, {});
    EXPECT_EQ(after.labels, before.labels) << temperature;
    EXPECT_NE(after.probabilities, before.probabilities);
  }
  // Rounding does make ties here: of the probabilities afterwards the labels would be others.
  Prediction hot = before;
  decide(hot, classes, most_temperature, {});
  EXPECT_NE(likeliest_class(hot.probabilities, classes, {width, height}), before.labels);
}

// 4/5 becomes 2/3, and the difference to the other class 1/3.
TEST(Decide, ThresholdAndUnsurenessAreOfCalibratedProbabilities) {
  const Prediction given{.labels = {1, 1, {1}}, .probabilities = {0.2F, 0.8F}};
  for (const auto& [temperature, threshold, label] :
       {std::tuple{1.0, 0.7, 1}, {2.0, 0.7, 0}, {2.0, 0.65, 1}}) {
    Prediction one = given;
    decide(one, 2, temperature, {.threshold = threshold});
    EXPECT_EQ(one.labels.labels.front(), label) << temperature << " " << threshold;
  }
  Prediction one = given;
  decide(one, 2, 2, {});
  EXPECT_NEAR(unsureness(one.probabilities, 2).front(), 2.0 / 3, 1e-6);
}

}  // namespace
}  // namespace medurwkv::predict
