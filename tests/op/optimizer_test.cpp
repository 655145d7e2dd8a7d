// AdamW and clipping against LibTorch's own optimiser.
#include <gtest/gtest.h>

#include "torch/aten.h"

#include <torch/types.h>

#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include "kernels/isa.h"
#include "train/optimizer.h"

namespace medurwkv {
namespace {

at::Tensor numbers(std::int64_t seed, at::ScalarType type, at::IntArrayRef shape = {3, 4}) {
  const at::Tensor index = at::arange(c10::multiply_integers(shape), type).reshape(shape);
  return at::sin(index * 1.7 + static_cast<double>(seed));
}

at::Tensor leaf(std::int64_t seed, at::ScalarType type) {
  return numbers(seed, type).requires_grad_(true);
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

/// How a tensor and its gradient lie in memory. Each of them takes another way through the update.
struct Lying {
  const char* name;
  at::Tensor (*parameter)(const at::Tensor& x);
  at::Tensor (*gradient)(const at::Tensor& x);
};

at::Tensor plain(const at::Tensor& x) {
  return x.clone(at::MemoryFormat::Contiguous);
}
at::Tensor channels_last(const at::Tensor& x) {
  return x.clone(at::MemoryFormat::ChannelsLast);
}
at::Tensor with_gaps(const at::Tensor& x) {
  const at::Tensor out = at::zeros({x.size(0), x.size(1), x.size(2), 2 * x.size(3)}, x.options());
  return out.slice(3, 0, c10::nullopt, 2).copy_(x);
}

constexpr Lying ways_to_lie[] = {{"plain", plain, plain},
                                 {"channels_last", channels_last, channels_last},
                                 {"gradient_in_another_order", channels_last, plain},
                                 {"with_gaps", with_gaps, plain}};

class OptimizerMemory
    : public ::testing::TestWithParam<std::tuple<Lying, at::ScalarType, const kernels::Isa*>> {};

TEST_P(OptimizerMemory, StepsLikeLibTorchsAdamW) {
  const auto& [lying, type, isa] = GetParam();
  const kernels::Isa& before = kernels::chosen_isa();
  kernels::force_isa(*isa);
  const bool exact = type == at::kDouble;
  const std::vector<std::int64_t> shape{7, 5, 3, 41};  // 4305 numbers: no multiple of any vector
  const at::Tensor start = numbers(1, type, shape);
  at::Tensor ours = lying.parameter(start).requires_grad_(true);
  at::Tensor theirs = plain(start).requires_grad_(true);
  train::AdamW optimizer({});
  optimizer.add("x", ours, 0.05);
  torch::optim::AdamW reference({theirs}, torch::optim::AdamWOptions(1e-2).weight_decay(0.05));
  for (int step = 0; step < 5; ++step) {
    const at::Tensor gradient = numbers(2 + step, type, shape);
    ours.mutable_grad() = lying.gradient(gradient);
    theirs.mutable_grad() = plain(gradient);
    optimizer.step(1e-2);
    reference.step();
  }
  kernels::force_isa(before);
  EXPECT_LT((ours - theirs).abs().max().item().toDouble(), exact ? 1e-14 : 5e-7);
  EXPECT_GT((ours - start).abs().max().item().toDouble(), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Layouts, OptimizerMemory,
                         ::testing::Combine(::testing::ValuesIn(ways_to_lie),
                                            ::testing::Values(at::kFloat, at::kDouble),
                                            ::testing::ValuesIn(kernels::available_isas())),
                         [](const auto& tested) {
                           return std::string(std::get<0>(tested.param).name) + "_" +
                                  at::toString(std::get<1>(tested.param)) + "_" +
                                  std::get<2>(tested.param)->name;
                         });

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
