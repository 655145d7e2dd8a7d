// The schedule of a run: rates, batches and steps, early end. Hand-computed values.
#include <gtest/gtest.h>

#include <cmath>

#include "train/run/schedule.h"

namespace medurwkv {
namespace {

TEST(LearningRate, RisesThenFallsAsAPolynomial) {
  // base min(1, (t + 1) / 4) (1 - t / 10)^0.9 by hand.
  EXPECT_DOUBLE_EQ(train::learning_rate({.base = 2, .total = 10, .warmup = 4}, 0), 0.5);
  EXPECT_DOUBLE_EQ(train::learning_rate({.base = 2, .total = 10, .warmup = 4}, 1),
                   std::pow(0.9, 0.9));
  EXPECT_DOUBLE_EQ(train::learning_rate({.base = 2, .total = 10, .warmup = 4}, 5),
                   2 * std::pow(0.5, 0.9));
  EXPECT_DOUBLE_EQ(train::learning_rate({.base = 2, .total = 10}, 0), 2);
}

TEST(LearningRate, FallsFromBlockToBlockTowardsTheInput) {
  const auto factor = [](const char* name) { return train::rate_factor(name, 12, 0.95); };
  EXPECT_DOUBLE_EQ(factor("encoder.layers.11.att.key.weight"), 1);
  EXPECT_DOUBLE_EQ(factor("encoder.layers.10.gamma1"), 0.95);
  EXPECT_DOUBLE_EQ(factor("encoder.layers.1.ln1.bias"), std::pow(0.95, 10));
  EXPECT_DOUBLE_EQ(factor("encoder.layers.0.ln0.bias"), std::pow(0.95, 11));
  EXPECT_DOUBLE_EQ(factor("encoder.patch_embed.projection.weight"), std::pow(0.95, 12));
  EXPECT_DOUBLE_EQ(factor("encoder.pos_embed"), std::pow(0.95, 12));
  for (const char* name : {"encoder.level_embed", "encoder.spm.stem.0.weight", "encoder.up.weight",
                           "encoder.interactions.0.injector.gamma", "head.classify.bias",
                           "decoder.0.blocks.1.ln1.weight"}) {
    EXPECT_DOUBLE_EQ(factor(name), 1) << name;
  }
}

TEST(Schedule, StepsTakeBatchesAndEpochsEndThem) {
  // 23 cases in batches of 4 are 6 batches: with 4 to a step, 4 and 2.
  const train::Schedule schedule({.samples = 23, .batch = 4, .accumulate = 4, .epochs = 3});
  EXPECT_EQ(schedule.batches_per_epoch(), 6);
  EXPECT_EQ(schedule.steps_per_epoch(), 2);
  EXPECT_EQ(schedule.total_steps(), 6);
  EXPECT_EQ(schedule.total_batches(), 18);
  EXPECT_EQ(schedule.first_batch(0), 0);
  EXPECT_EQ(schedule.batches_of(0), 4);
  EXPECT_EQ(schedule.first_batch(1), 4);
  EXPECT_EQ(schedule.batches_of(1), 2);
  EXPECT_EQ(schedule.first_batch(2), 6);
  EXPECT_EQ(schedule.first_batch(5), 16);
  EXPECT_EQ(schedule.batches_of(5), 2);
}

// Whatever a pass over the cases takes.
TEST(Schedule, AnEpochMayBeANumberOfSteps) {
  const train::Schedule schedule(
      {.samples = 23, .batch = 4, .accumulate = 2, .epochs = 3, .epoch_steps = 5});
  EXPECT_EQ(schedule.steps_per_epoch(), 5);
  EXPECT_EQ(schedule.batches_per_epoch(), 10);
  EXPECT_EQ(schedule.total_steps(), 15);
  for (std::int64_t step = 0; step < 15; ++step) {
    EXPECT_EQ(schedule.first_batch(step), 2 * step);
    EXPECT_EQ(schedule.batches_of(step), 2);
  }
}

TEST(Schedule, OneBatchToAStepIsPlain) {
  const train::Schedule schedule({.samples = 9, .batch = 4, .accumulate = 1, .epochs = 2});
  EXPECT_EQ(schedule.steps_per_epoch(), 3);
  for (std::int64_t step = 0; step < 6; ++step) {
    EXPECT_EQ(schedule.first_batch(step), step);
    EXPECT_EQ(schedule.batches_of(step), 1);
  }
}

TEST(Schedule, EndsEarlyAfterSoManyEpochsWithoutABetterOne) {
  EXPECT_FALSE(train::ends_early(9, 7, 3));
  EXPECT_TRUE(train::ends_early(10, 7, 3));
  EXPECT_FALSE(train::ends_early(1000, 1, 0));
}

TEST(Schedule, TheAverageForgetsItsStartQuickly) {
  EXPECT_DOUBLE_EQ(train::average_decay(0.999, 0), 0.1);
  EXPECT_DOUBLE_EQ(train::average_decay(0.999, 8), 0.5);
  EXPECT_DOUBLE_EQ(train::average_decay(0.999, 100000), 0.999);
}

}  // namespace
}  // namespace medurwkv
