// Losses beyond the golden file's: against plain loops over pixels that follow the papers'
// formulas, against finite differences in float64, and laws between them.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/model_description.h"
#include "data/feed/augment.h"
#include "data/feed/batch_loader.h"
#include "data/feed/case_cache.h"
#include "support/tensors.h"
#include "train/segmentation/loss.h"
#include "train/segmentation/samples.h"

namespace medurwkv {
namespace {

using train::LossOptions;
using LossFunction =
    std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const LossOptions&)>;

constexpr std::int64_t batch = 2, height = 5, width = 6, classes = 3;
constexpr std::int64_t pixels = height * width;

/// Three classes in patches, two pixels ignored.
at::Tensor labels_of_a_batch() {
  std::vector<std::int64_t> out;
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        out.push_back(n == 0 ? (x > 1 && y > 0 && x < 5 ? (y > 2 ? 2 : 1) : 0) : (x > 3 ? 2 : 0));
      }
    }
  }
  out[3] = out[40] = 255;
  return at::tensor(out, at::kLong).reshape({batch, height, width});
}

at::Tensor logits_of(std::int64_t outputs) {
  const at::Tensor index = at::arange(batch * outputs * pixels, at::kDouble);
  return (2 * at::sin(index * 1.3) + at::cos(index * 0.37))
      .reshape({batch, outputs, height, width});
}

/// The batch as plain numbers: probabilities and truth by [n][output][pixel].
struct Plain {
  std::int64_t outputs = 0;
  std::vector<double> p, g, log_p;
  std::vector<std::int64_t> label;
  [[nodiscard]] std::size_t at(std::int64_t n, std::int64_t c, std::int64_t i) const {
    return static_cast<std::size_t>((n * outputs + c) * pixels + i);
  }
  [[nodiscard]] bool counts(std::int64_t n, std::int64_t i) const {
    return label[static_cast<std::size_t>(n * pixels + i)] != 255;
  }
};

Plain plain_of(const at::Tensor& logits, const at::Tensor& labels, const Regions& regions) {
  Plain out;
  out.outputs = logits.size(1);
  const std::vector<double> z = test::elements(logits);
  for (const double label : test::elements(labels)) {
    out.label.push_back(static_cast<std::int64_t>(label));
  }
  out.p.resize(z.size());
  out.g.resize(z.size());
  out.log_p.resize(z.size());
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t i = 0; i < pixels; ++i) {
      double sum = 0;
      for (std::int64_t c = 0; c < out.outputs; ++c) sum += std::exp(z[out.at(n, c, i)]);
      const std::int64_t label = out.label[static_cast<std::size_t>(n * pixels + i)];
      for (std::int64_t c = 0; c < out.outputs; ++c) {
        const std::size_t at = out.at(n, c, i);
        const double odds = std::exp(z[at]);
        out.p[at] = regions.empty() ? odds / sum : odds / (1 + odds);
        bool inside = c == label;
        if (!regions.empty()) {
          inside = false;
          for (const std::int64_t one : regions[static_cast<std::size_t>(c)]) {
            inside = inside || one == label;
          }
        }
        out.g[at] = inside ? 1 : 0;
      }
    }
  }
  return out;
}

/// sum(w f(p of the truth)) / sum(w) over counted pixels (and outputs, for regions).
double plain_mean(const Plain& plain, const LossOptions& options,
                  const std::function<double(double)>& f) {
  double sum = 0;
  double weights = 0;
  const bool regions = !options.regions.empty();
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < plain.outputs; ++c) {
      const auto at = static_cast<std::size_t>(c + (regions ? 1 : 0));
      const double w = options.class_weights.empty() ? 1 : options.class_weights[at];
      for (std::int64_t i = 0; i < pixels; ++i) {
        if (!plain.counts(n, i)) continue;
        const bool inside = plain.g[plain.at(n, c, i)] > 0;
        if (!regions && !inside) continue;
        const double p = plain.p[plain.at(n, c, i)];
        sum += w * f(inside ? p : 1 - p);
        weights += w;
      }
    }
  }
  return sum / weights;
}

/// Mean over foreground outputs of 1 - (hit + s) / (hit + a (p - hit) + b (g - hit) + s).
double plain_overlap(const Plain& plain, const LossOptions& options, double a, double b, double s) {
  double sum = 0;
  const std::int64_t first = options.regions.empty() ? 1 : 0;
  for (std::int64_t c = first; c < plain.outputs; ++c) {
    double hit = 0;
    double p = 0;
    double g = 0;
    for (std::int64_t n = 0; n < batch; ++n) {
      for (std::int64_t i = 0; i < pixels; ++i) {
        if (!plain.counts(n, i)) continue;
        hit += plain.p[plain.at(n, c, i)] * plain.g[plain.at(n, c, i)];
        p += plain.p[plain.at(n, c, i)];
        g += plain.g[plain.at(n, c, i)];
      }
    }
    sum += 1 - (hit + s) / (hit + a * (p - hit) + b * (g - hit) + s);
  }
  return sum / static_cast<double>(plain.outputs - first);
}

/// Distances by trying every pixel of the other side.
double plain_boundary(const Plain& plain, const LossOptions& options) {
  double sum = 0;
  double count = 0;
  const auto inside = [&](std::int64_t n, std::int64_t c, std::int64_t i) {
    return plain.counts(n, i) && plain.g[plain.at(n, c, i)] > 0;
  };
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = options.regions.empty() ? 1 : 0; c < plain.outputs; ++c) {
      for (std::int64_t i = 0; i < pixels; ++i) {
        if (!plain.counts(n, i)) continue;
        double nearest = 1e9;
        for (std::int64_t j = 0; j < pixels; ++j) {
          if (inside(n, c, j) == inside(n, c, i)) continue;
          nearest = std::min(nearest, std::hypot(static_cast<double>(i % width - j % width),
                                                 static_cast<double>(i / width - j / width)));
        }
        const double distance = nearest > 1e8 ? 0 : inside(n, c, i) ? 1 - nearest : nearest;
        sum += plain.p[plain.at(n, c, i)] * distance;
        ++count;
      }
    }
  }
  return sum / count;
}

struct Case {
  std::string name;
  LossFunction loss;
  std::function<double(const Plain&, const LossOptions&)> plain;
  LossOptions options;
};

const std::vector<Case>& cases() {
  const auto cross_entropy = [](const Plain& plain, const LossOptions& options) {
    return plain_mean(plain, options, [](double p) { return -std::log(p); });
  };
  const auto focal = [](const Plain& plain, const LossOptions& options) {
    return plain_mean(plain, options, [&](double p) {
      return -std::pow(1 - p, options.focal_gamma) * std::log(p);
    });
  };
  const auto dice = [](const Plain& plain, const LossOptions& options) {
    return plain_overlap(plain, options, 0.5, 0.5, options.smooth / 2);
  };
  const auto tversky = [](const Plain& plain, const LossOptions& options) {
    return plain_overlap(plain, options, options.tversky_alpha, options.tversky_beta,
                         options.smooth);
  };
  const std::vector<double> weights{0.5, 1, 3};
  const Regions nested{{1, 2}, {2}};
  static const std::vector<Case> all{
      {"cross-entropy", train::cross_entropy, cross_entropy, {}},
      {"weighted cross-entropy", train::cross_entropy, cross_entropy, {.class_weights = weights}},
      {"cross-entropy of regions",
       train::cross_entropy,
       cross_entropy,
       {.class_weights = weights, .regions = nested}},
      {"dice", train::dice_loss, dice, {.smooth = 0.5}},
      {"dice of regions", train::dice_loss, dice, {.smooth = 0.5, .regions = nested}},
      {"focal", train::focal_loss, focal, {}},
      {"weighted focal", train::focal_loss, focal, {.class_weights = weights, .focal_gamma = 1.5}},
      {"focal of regions",
       train::focal_loss,
       focal,
       {.class_weights = weights, .focal_gamma = 3, .regions = nested}},
      {"tversky", train::tversky_loss, tversky, {.smooth = 0.25}},
      {"tversky of regions",
       train::tversky_loss,
       tversky,
       {.tversky_alpha = 0.7, .tversky_beta = 0.2, .regions = nested}},
      {"boundary", train::boundary_loss, plain_boundary, {}},
      {"boundary of regions", train::boundary_loss, plain_boundary, {.regions = nested}},
  };
  return all;
}

at::Tensor logits_for(const LossOptions& options) {
  return logits_of(options.regions.empty() ? classes : std::ssize(options.regions));
}

TEST(Loss, IsThatOfPlainLoops) {
  const at::Tensor labels = labels_of_a_batch();
  for (const Case& one : cases()) {
    const at::Tensor logits = logits_for(one.options);
    const double value = one.loss(logits, labels, one.options).item().toDouble();
    const double expected = one.plain(plain_of(logits, labels, one.options.regions), one.options);
    EXPECT_NEAR(value, expected, 1e-12) << one.name;
    EXPECT_GT(std::abs(value), 1e-3) << one.name;
  }
}

TEST(Loss, GradientsAreFiniteDifferences) {
  const at::Tensor labels = labels_of_a_batch();
  for (const Case& one : cases()) {
    const at::Tensor logits = logits_for(one.options).requires_grad_(true);
    one.loss(logits, labels, one.options).backward();
    const std::vector<double> gradient = test::elements(logits.grad());
    const at::NoGradGuard no_grad;
    for (std::int64_t i = 0; i < logits.numel(); i += 7) {
      const auto at_shift = [&](double shift) {
        const at::Tensor moved = logits.detach().clone();
        moved.flatten()[i] += shift;
        return one.loss(moved, labels, one.options).item().toDouble();
      };
      const double difference = (at_shift(1e-5) - at_shift(-1e-5)) / 2e-5;
      EXPECT_NEAR(gradient[static_cast<std::size_t>(i)], difference, 1e-9) << one.name << " " << i;
    }
    // What is ignored has none: the fourth pixel of the first image.
    EXPECT_EQ(gradient[3], 0) << one.name;
  }
}

TEST(Loss, OfNothingIsZero) {
  const at::Tensor nothing = at::full({batch, height, width}, 255, at::kLong);
  for (const Case& one : cases()) {
    const at::Tensor logits = logits_for(one.options).requires_grad_(true);
    const at::Tensor loss = one.loss(logits, nothing, one.options);
    loss.backward();
    EXPECT_NEAR(loss.item().toDouble(), 0, 1e-12) << one.name;
    EXPECT_EQ(logits.grad().abs().max().item().toDouble(), 0) << one.name;
  }
}

TEST(Loss, FocalWithoutGammaIsCrossEntropyAndTverskyOfHalvesIsDice) {
  const at::Tensor labels = labels_of_a_batch();
  const at::Tensor logits = logits_of(classes);
  EXPECT_NEAR(train::focal_loss(logits, labels, {.focal_gamma = 0}).item().toDouble(),
              train::cross_entropy(logits, labels, {}).item().toDouble(), 1e-12);
  EXPECT_NEAR(train::tversky_loss(logits, labels,
                                  {.smooth = 0.5, .tversky_alpha = 0.5, .tversky_beta = 0.5})
                  .item()
                  .toDouble(),
              train::dice_loss(logits, labels, {.smooth = 1}).item().toDouble(), 1e-12);
}

TEST(Loss, TheTotalIsTheWeightedSumOfTheUsedParts) {
  const at::Tensor labels = labels_of_a_batch();
  const at::Tensor logits = logits_of(classes);
  const LossOptions options{.weights = {0.5, 0, 2, 3, 0.25}};
  const train::Loss loss = train::segmentation_loss(logits, labels, options);
  EXPECT_FALSE(loss.parts[1].defined());
  const std::vector<LossFunction> functions{train::cross_entropy, train::dice_loss,
                                            train::focal_loss, train::tversky_loss,
                                            train::boundary_loss};
  double sum = 0;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    sum += options.weights[i] * functions[i](logits, labels, options).item().toDouble();
  }
  EXPECT_NEAR(loss.total.item().toDouble(), sum, 1e-12);
}

// What the loader makes beside the labels is what the loss makes of them.
TEST(Loss, DistancesOfTheLoaderAreThoseOfTheLabels) {
  for (const Regions& regions : {Regions{}, Regions{{1, 2}, {2}}}) {
    const train::SampleOptions samples{
        .input = {.width = 12, .height = 9, .channels = 1, .mean = {0}, .deviation = {1}},
        .augment = data::augment_preset("none"),
        .distances = true,
        .classes = classes,
        .regions = regions};
    data::LoadedCase item;
    item.image.width = 12;
    item.image.height = 9;
    item.image.channels = 1;
    item.image.bytes.resize(108);
    item.labels = {12, 9, {}};
    for (std::size_t i = 0; i < 108; ++i) {
      const std::size_t label = i % 12 / 3 * (i / 48);
      item.labels.labels.push_back(i == 40 ? ignore_label : static_cast<std::uint8_t>(label % 3));
    }
    const data::SampleCounts counts = train::sample_counts(samples);
    data::SampleBatch made;
    made.count = 1;
    made.images.resize(static_cast<std::size_t>(counts.image));
    made.labels.resize(static_cast<std::size_t>(counts.labels));
    made.second.resize(static_cast<std::size_t>(counts.second));
    data::Affine box;
    train::sample_maker(samples)(item, 0, 0, {made.images, made.labels, made.second, box});
    const train::Batch got = train::to_tensors(std::move(made), samples.input);
    ASSERT_EQ(got.targets.size(), 2U);
    LossOptions options{.regions = regions};
    const at::Tensor logits =
        at::randn({1, regions.empty() ? classes : std::ssize(regions), 9, 12}, at::kDouble);
    const double expected = train::boundary_loss(logits, got.targets[0], options).item().toDouble();
    options.distances = got.targets[1];
    EXPECT_NEAR(train::boundary_loss(logits, got.targets[0], options).item().toDouble(), expected,
                1e-6 * std::abs(expected));
    EXPECT_GT(std::abs(expected), 0.1);
    options.distances = at::zeros_like(got.targets[1]);
    EXPECT_EQ(train::boundary_loss(logits, got.targets[0], options).item().toDouble(), 0);
  }
}

// Two halves of a batch whose sums are added up give the loss and gradients of the whole.
TEST(Loss, GatheredSumsMakeTheLossOfTheWholeBatch) {
  const at::Tensor labels = labels_of_a_batch();
  for (const Case& one : cases()) {
    const at::Tensor logits = logits_for(one.options);
    std::vector<at::Tensor> of_the_other;
    LossOptions options = one.options;
    options.gather = [&](const at::Tensor& sums) {
      of_the_other.push_back(sums.detach());
      return sums;
    };
    one.loss(logits.narrow(0, 1, 1), labels.narrow(0, 1, 1), options);
    ASSERT_EQ(of_the_other.size(), 1U) << one.name;
    options.gather = [&](const at::Tensor& sums) { return sums + of_the_other[0]; };
    const at::Tensor half = logits.narrow(0, 0, 1).clone().requires_grad_(true);
    const at::Tensor loss = one.loss(half, labels.narrow(0, 0, 1), options);
    loss.backward();
    const at::Tensor whole = logits.clone().requires_grad_(true);
    const at::Tensor expected = one.loss(whole, labels, one.options);
    expected.backward();
    EXPECT_NEAR(loss.item().toDouble(), expected.item().toDouble(), 1e-12) << one.name;
    const at::Tensor difference = half.grad() - whole.grad().narrow(0, 0, 1);
    EXPECT_LT(difference.abs().max().item().toDouble(), 1e-12) << one.name;
  }
}

}  // namespace
}  // namespace medurwkv
