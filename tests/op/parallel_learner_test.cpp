// Proves that ranks that share every batch learn what one process learns from all of it: losses
// within 1e-5 over 20 steps in float64 (they agree to 1e-9), with plain SGD and with AdamW, through
// drop path, batch normalisation and parts of unequal size. Ranks are threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include "net/presets.h"
#include "support/free_port.h"
#include "torch/process_group.h"
#include "train/learner.h"
#include "train/segmentation/objective.h"

namespace medurwkv::train {
namespace {

constexpr std::int64_t steps = 20;
constexpr std::int64_t batch_size = 3;
constexpr std::int64_t classes = 3;

struct World {
  Config config;
  net::NetworkConfig network;
  std::vector<Batch> batches;
};

World make_world() {
  World out;
  out.config.network.preset = "nano";
  out.config.network.drop_path = 0.3;
  out.config.loss.focal = 0.5;
  out.config.loss.tversky = 0.5;
  out.config.loss.class_weights = {0.5, 1, 2};
  out.network = resolve_network(out.config, classes);
  at::manual_seed(5);
  for (std::int64_t i = 0; i < steps; ++i) {
    at::Tensor labels = at::randint(0, classes, {batch_size, 64, 64}, at::kLong);
    labels.narrow(1, 0, 8).fill_(255);  // ignored
    out.batches.push_back({.images = at::randn({batch_size, 3, 64, 64}, at::kDouble),
                           .targets = {labels},
                           .ids = {}});
  }
  return out;
}

/// The losses of all steps; `part` of `parts` of every batch.
std::vector<double> losses(const World& world, bool adamw,
                           const torch_backend::ProcessGroup* group) {
  const SegmentationObjective objective(world.config, world.network, classes);
  Learner learner(world.config, world.network, objective, at::kCPU, at::kDouble);
  learner.set_group(group);
  const std::int64_t part = group != nullptr ? group->rank() : 0;
  const std::int64_t parts = group != nullptr ? group->world() : 1;
  const std::int64_t first = batch_size * part / parts;
  const std::int64_t count = batch_size * (part + 1) / parts - first;
  std::vector<double> out;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Batch& whole = world.batches[static_cast<std::size_t>(step)];
    const Batch mine{.images = whole.images.narrow(0, first, count),
                     .targets = {whole.targets.front().narrow(0, first, count)},
                     .ids = {},
                     .first = first};
    out.push_back(learner.learn(mine, step, 1).total);
    if (adamw) {
      learner.update(1e-3);
      continue;
    }
    learner.average_gradients();
    const at::NoGradGuard no_grad;
    for (const AdamWSlot& slot : learner.optimizer().slots()) {
      slot.parameter.sub_(slot.parameter.grad(), 0.01);
    }
    learner.optimizer().zero_gradients();
  }
  return out;
}

class ParallelLearner : public ::testing::TestWithParam<bool> {};

TEST_P(ParallelLearner, TwoRanksLearnWhatOneProcessLearns) {
  const std::string why_not = torch_backend::ProcessGroup::why_not(at::kCPU);
  if (!why_not.empty()) GTEST_SKIP() << why_not;
  const World world = make_world();
  const std::vector<double> alone = losses(world, GetParam(), nullptr);
  const std::uint16_t port = test::free_port();
  std::vector<std::vector<double>> together(2);
  std::vector<std::exception_ptr> errors(2);
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    ranks.emplace_back([&, rank, place = static_cast<std::size_t>(rank)] {
      try {
        const torch_backend::ProcessGroup group({.port = port, .rank = rank, .world = 2}, at::kCPU);
        together[place] = losses(world, GetParam(), &group);
      } catch (...) {
        errors[place] = std::current_exception();
      }
    });
  }
  for (std::thread& rank : ranks) rank.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  EXPECT_EQ(together[0], together[1]);
  ASSERT_EQ(together[0].size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(together[0][i], alone[i], 1e-9) << "step " << i;
  }
  EXPECT_GT(std::abs(alone.front() - alone.back()), 1e-3) << "nothing was learned";
}

INSTANTIATE_TEST_SUITE_P(Optimisers, ParallelLearner, ::testing::Values(false, true),
                         [](const auto& param) { return param.param ? "AdamW" : "SGD"; });

}  // namespace
}  // namespace medurwkv::train
