// A step of training: what is frozen, accumulated gradients, the moving average, tensors that start
// to train late, deep supervision. Laws and hand computations.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "net/presets.h"
#include "plan/plan.h"
#include "support/tensors.h"
#include "torch/torch_ops.h"
#include "train/learner.h"
#include "train/segmentation/objective.h"

namespace medurwkv {
namespace {

using torch_backend::Frozen;
using torch_backend::ParameterStore;
using torch_backend::RunMode;

constexpr std::int64_t side = 64;

net::NetworkConfig nano(double drop_path = 0) {
  net::NetworkConfig out = net::preset("nano", 2);
  out.encoder.drop_path = drop_path;
  return out;
}

train::Batch batch_of(std::int64_t count, double shift) {
  const at::Tensor index = at::arange(count * 3 * side * side, at::kFloat);
  const at::Tensor where = at::arange(count * side * side, at::kLong);
  return {.images = at::sin(index * 0.37 + shift).reshape({count, 3, side, side}),
          .targets = {(where.floor_divide(7) % 2).reshape({count, side, side})},
          .ids = {}};
}

/// All tensors of the encoder; without its running statistics when these are to be new.
std::vector<std::string> encoder_names(const ParameterStore& store, bool statistics) {
  std::vector<std::string> out;
  for (const net::ParameterSpec& spec : store.specs()) {
    if (spec.name.starts_with("encoder.") && (statistics || !spec.buffer)) out.push_back(spec.name);
  }
  return out;
}

/// Logits of a training step of the nano network by the fill rule.
at::Tensor logits(ParameterStore& store, double drop_path, const Frozen* frozen) {
  return torch_backend::run_network(nano(drop_path), store,
                                    {.training = true, .seed = 3, .step = 5, .frozen = frozen},
                                    batch_of(2, 0).images)
      .logits;
}

TEST(Frozen, RunsOnStoredStatisticsAndDropsNoPath) {
  ParameterStore store(plan::parameters_of(nano()), 0, at::kFloat, at::kCPU);
  test::fill(store);
  const at::Tensor mean = store.at("encoder.spm.stem.1.running_mean");
  const at::Tensor before = mean.clone();
  const Frozen frozen(store, encoder_names(store, true));
  const at::Tensor out = logits(store, 0.9, &frozen);
  EXPECT_TRUE(at::equal(mean, before));
  EXPECT_TRUE(at::equal(out, logits(store, 0, &frozen))) << "no drop path";
  const auto evaluated =
      torch_backend::run_network(nano(), store, RunMode{}, batch_of(2, 0).images);
  EXPECT_TRUE(at::equal(out, evaluated.logits)) << "as it is run, not as it is trained";
  out.sum().backward();
  EXPECT_FALSE(store.at("encoder.spm.stem.0.weight").grad().defined());
  EXPECT_FALSE(store.at("encoder.layers.0.att.key.weight").grad().defined());
  EXPECT_TRUE(store.at("head.classify.weight").grad().defined());
}

TEST(Frozen, StatisticsThatTheFileLackedFollowTheBatch) {
  ParameterStore store(plan::parameters_of(nano()), 0, at::kFloat, at::kCPU);
  test::fill(store);
  ParameterStore plain(plan::parameters_of(nano()), 0, at::kFloat, at::kCPU);
  test::fill(plain);
  const Frozen frozen(store, encoder_names(store, false));
  const at::Tensor out = logits(store, 0, &frozen);
  EXPECT_TRUE(at::equal(out, logits(plain, 0, nullptr)));
  const std::string mean = "encoder.spm.stem.1.running_mean";
  EXPECT_TRUE(at::equal(store.at(mean), plain.at(mean)));
}

TEST(Frozen, EndsWithTheObject) {
  ParameterStore store(plan::parameters_of(nano()), 0, at::kFloat, at::kCPU);
  const at::Tensor& weight = store.at("encoder.layers.0.att.key.weight");
  {
    const Frozen frozen(store, encoder_names(store, true));
    EXPECT_FALSE(weight.requires_grad());
    EXPECT_TRUE(store.at("head.classify.weight").requires_grad());
  }
  EXPECT_TRUE(weight.requires_grad());
}

/// What a learner is made of, and outlives it.
struct World {
  explicit World(const std::vector<std::string>& settings)
      : config(train::load_config({}, settings)),
        network(train::resolve_network(config, 2)),
        objective(config, network, 2) {
    learner = std::make_unique<train::Learner>(config, network, objective, at::kCPU);
  }
  [[nodiscard]] at::Tensor grad(const std::string& name) const {
    return learner->store().at(name).grad();
  }
  train::Config config;
  net::NetworkConfig network;
  train::SegmentationObjective objective;
  std::unique_ptr<train::Learner> learner;
};

const std::vector<std::string> small{"network.preset=nano", "network.drop_path=0"};

std::vector<std::string> with(const std::vector<std::string>& more) {
  std::vector<std::string> out = small;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

TEST(Learner, GradientsOfSeveralBatchesAreTheirMean) {
  const World both(small);
  both.learner->learn(batch_of(2, 0), 0, 0.5);
  both.learner->learn(batch_of(2, 1), 1, 0.5);
  const World first(small);
  first.learner->learn(batch_of(2, 0), 0, 1);
  const World second(small);
  second.learner->learn(batch_of(2, 1), 1, 1);
  for (const char* name : {"head.classify.weight", "encoder.layers.0.att.key.weight"}) {
    const at::Tensor mean = (first.grad(name) + second.grad(name)) / 2;
    const double scale = mean.abs().max().item().toDouble();
    EXPECT_LT((both.grad(name) - mean).abs().max().item().toDouble(), 1e-5 * scale) << name;
  }
}

TEST(Learner, TheAverageFollowsTheWeights) {
  const World world(with({"optimizer.ema=0.99"}));
  const std::string name = "head.classify.weight";
  at::Tensor expected = world.learner->store().at(name).detach().clone();
  // By hand: decay (1 + n) / (10 + n).
  for (const double decay : {1.0 / 10, 2.0 / 11, 3.0 / 12}) {
    world.learner->learn(batch_of(2, 0), 0, 1);
    world.learner->update(0.01);
    expected = decay * expected + (1 - decay) * world.learner->store().at(name).detach();
    const at::Tensor average = world.learner->judged().at(name).detach();
    EXPECT_LT((average - expected).abs().max().item().toDouble(), 1e-6);
    EXPECT_FALSE(at::equal(average, world.learner->store().at(name)));
  }
}

TEST(Learner, PublishedTensorsWaitAndThenFollowSlowly) {
  const World world(with({"encoder.rate_decay=0.5", "optimizer.weight_decay=0"}));
  train::Learner& learner = *world.learner;
  const std::vector<std::string> names{"encoder.layers.1.att.key.weight",
                                       "encoder.layers.3.att.key.weight", "encoder.pos_embed"};
  learner.set_published(names, 2);
  std::vector<at::Tensor> start;
  for (const std::string& name : names) {
    start.push_back(learner.store().at(name).detach().clone());
  }
  constexpr double rate = 0.01;
  for (std::int64_t step = 0; step < 3; ++step) {
    learner.begin_step(step);
    learner.learn(batch_of(2, 0), step, 1);
    learner.update(rate);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const at::Tensor moved = (learner.store().at(names[i]) - start[i]).abs();
      const double most = moved.max().item().toDouble();
      if (step < 2) {
        EXPECT_EQ(most, 0) << names[i];
      } else {
        // AdamW's first step of a tensor has the length of its rate in every element.
        const std::vector<double> factors{0.25, 1, 0.0625};
        EXPECT_NEAR(most / rate, factors[i], 0.05 * factors[i]) << names[i];
      }
    }
  }
}

TEST(Learner, DeepSupervisionAddsTheStagesAtHalfWeights) {
  const World world(with({"loss.deep_supervision=true"}));
  const train::Batch batch = batch_of(2, 0);
  const double total = world.learner->learn(batch, 0, 1).total;
  const auto out =
      torch_backend::run_network(world.network, world.learner->store(),
                                 {.training = true, .seed = 0, .step = 0}, batch.images);
  const train::LossOptions options = train::loss_options(world.config, 2);
  const auto loss_of = [&](const at::Tensor& logits, const at::Tensor& labels) {
    return train::segmentation_loss(logits, labels, options).total.item().toDouble();
  };
  double expected = loss_of(out.logits, batch.targets.front());
  for (const auto& [stage, stride, weight] :
       {std::tuple<std::size_t, std::int64_t, double>{1, 8, 0.5}, {0, 16, 0.25}}) {
    const std::string head = "deep_supervision." + std::to_string(stage);
    const at::Tensor weights = world.learner->store().at(head + ".weight");
    EXPECT_TRUE(weights.grad().defined());
    const std::int64_t grid = side / stride;
    const at::Tensor map = at::matmul(out.decoder[stage], weights.t())
                               .reshape({2, grid, grid, 2})
                               .permute({0, 3, 1, 2});
    const at::Tensor middle = at::arange(grid, at::kLong) * stride + stride / 2;
    const at::Tensor labels = batch.targets.front().index_select(1, middle).index_select(2, middle);
    expected +=
        weight *
        loss_of(map + world.learner->store().at(head + ".bias").reshape({1, 2, 1, 1}), labels);
  }
  EXPECT_NEAR(total, expected / 1.75, 1e-5);
}

TEST(Learner, ABatchWithoutAFiniteLossLeavesNoGradients) {
  const World world(small);
  train::Batch batch = batch_of(2, 0);
  batch.images.fill_(std::nan(""));
  EXPECT_FALSE(std::isfinite(world.learner->learn(batch, 0, 1).total));
  EXPECT_FALSE(world.grad("head.classify.weight").defined());
}

// Eight bits of mantissa, so a rounding is off by at most u = 2^-9. Products alone are then within
// a percent of float32's norm. Processors without AVX-512 also add up in bfloat16: n = 216 terms
// with growing partial sums are off by about u sqrt(n / 2) / sqrt(3) = 1.2 %, and the products'
// part.
TEST(Bfloat16, ProductsAreNearThoseOfFloat32WithGradients) {
  const ParameterStore none({}, 0, at::kFloat, at::kCPU);
  const auto some = [](const std::vector<std::int64_t>& shape, double shift) {
    const at::Tensor values = at::zeros(shape, at::kFloat);
    const at::Tensor noise =
        (at::arange(values.numel(), at::kDouble) * 12.9898 + shift).sin() * 43758.5453;
    return (noise - noise.floor() - 0.5).to(at::kFloat).reshape(shape);
  };
  const auto run = [&](bool bfloat16, int which) {
    torch_backend::TorchOps ops(none, {.bfloat16 = bfloat16});
    at::Tensor x = some(which == 0 ? std::vector<std::int64_t>{2, 30, 24}
                                   : std::vector<std::int64_t>{2, 24, 6, 5},
                        0)
                       .requires_grad_(true);
    const at::Tensor bias = some({which == 3 ? 8 : 16}, 2);
    at::Tensor y;
    if (which == 0) y = ops.linear(x, some({16, 24}, 1), bias);
    if (which == 1) y = ops.conv2d(x, some({16, 24, 3, 3}, 1), bias, {.stride = 2, .padding = 1});
    if (which == 2) y = ops.conv2d(x, some({16, 24, 1, 1}, 1), bias, {});
    if (which == 3) y = ops.conv_transpose2d(x, some({24, 8, 2, 2}, 1), bias, 2);
    (y * some(y.sizes().vec(), 3)).sum().backward();
    return std::vector<at::Tensor>{y.detach(), x.grad()};
  };
  for (const int which : {0, 1, 2, 3}) {
    const std::vector<at::Tensor> exact = run(false, which);
    const std::vector<at::Tensor> rough = run(true, which);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      EXPECT_EQ(rough[i].scalar_type(), at::kFloat) << which;
      EXPECT_FALSE(at::equal(rough[i], exact[i])) << which;
      EXPECT_LT((rough[i] - exact[i]).norm().item().toDouble(),
                0.02 * exact[i].norm().item().toDouble())
          << which << " " << i;
    }
  }
}

}  // namespace
}  // namespace medurwkv
