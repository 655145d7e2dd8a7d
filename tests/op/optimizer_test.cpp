// AdamW and clipping: LibTorch's own optimiser.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <torch/types.h>

#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include "train/optimizer.h"

namespace medurwkv {
namespace {

at::Tensor leaf(std::int64_t seed, at::ScalarType type) {
  const at::Tensor index = at::arange(12, type).reshape({3, 4});
  return at::sin(index * 1.7 + static_cast<double>(seed)).requires_grad_(true);
}

/// A loss whose gradient changes from step to step.
at::Tensor loss_of(const at::Tensor& x, const at::Tensor& y, int step) {
  return (x * y * (step + 1)).sin().sum() + (x * x).sum();
}

TEST(Optimizer, StepsLikeLibTorchsAdamW) {
  at::Tensor x = leaf(1, at::kDouble);
  at::Tensor y = leaf(2, at::kDouble);
  at::Tensor x_theirs = leaf(1, at::kDouble);
  at::Tensor y_theirs = leaf(2, at::kDouble);
  train::AdamW ours({.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-8});
  ours.add("x", x, 0.03);
  ours.add("y", y, 0);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  const auto options = [](double decay) {
    auto out = std::make_unique<torch::optim::AdamWOptions>(1e-2);
    out->betas({0.8, 0.95}).eps(1e-8).weight_decay(decay);
    return out;
  };
  groups.emplace_back(std::vector<at::Tensor>{x_theirs}, options(0.03));
  groups.emplace_back(std::vector<at::Tensor>{y_theirs}, options(0));
  torch::optim::AdamW theirs(groups, torch::optim::AdamWOptions(1e-2));

  for (int step = 0; step < 10; ++step) {
    ours.zero_gradients();
    loss_of(x, y, step).backward();
    ours.step(1e-2);
    theirs.zero_grad();
    loss_of(x_theirs, y_theirs, step).backward();
    theirs.step();
  }
  EXPECT_LT((x - x_theirs).abs().max().item().toDouble(), 1e-12);
  EXPECT_LT((y - y_theirs).abs().max().item().toDouble(), 1e-12);
  EXPECT_GT((x - leaf(1, at::kDouble)).abs().max().item().toDouble(), 1e-3);
}

TEST(Optimizer, LeavesTensorsWithoutGradientAlone) {
  at::Tensor x = leaf(1, at::kDouble);
  train::AdamW optimizer({});
  optimizer.add("x", x, 0.5);
  optimizer.step(0.1);
  EXPECT_TRUE(at::equal(x, leaf(1, at::kDouble)));
}

TEST(Optimizer, ClipsLikeLibTorch) {
  at::Tensor x = leaf(3, at::kDouble);
  at::Tensor y = leaf(4, at::kDouble);
  train::AdamW optimizer({});
  optimizer.add("x", x, 0);
  optimizer.add("y", y, 0);
  loss_of(x, y, 3).backward();
  at::Tensor x_theirs = leaf(3, at::kDouble);
  at::Tensor y_theirs = leaf(4, at::kDouble);
  loss_of(x_theirs, y_theirs, 3).backward();

  const double norm = train::clip_gradients(optimizer.slots(), 0.5);
  const double theirs = torch::nn::utils::clip_grad_norm_({x_theirs, y_theirs}, 0.5);
  EXPECT_GT(norm, 0.5);
  EXPECT_NEAR(norm, theirs, 1e-12);
  EXPECT_LT((x.grad() - x_theirs.grad()).abs().max().item().toDouble(), 1e-12);
  EXPECT_LT((y.grad() - y_theirs.grad()).abs().max().item().toDouble(), 1e-12);

  // Below the limit nothing changes.
  const at::Tensor before = x.grad().clone();
  EXPECT_LE(train::clip_gradients(optimizer.slots(), 0.6), 0.5 + 1e-12);
  EXPECT_TRUE(at::equal(x.grad(), before));
}

}  // namespace
}  // namespace medurwkv
