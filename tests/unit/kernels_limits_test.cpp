// The loops that measure a machine compute what they count, on every instruction set there is.
#include "kernels/limits.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/vector/table.h"

namespace medurwkv {
namespace {

class Limits : public ::testing::TestWithParam<kernels::Isa> {
 protected:
  void SetUp() override { kernels::force_isa(GetParam()); }
  void TearDown() override {
    kernels::force_isa(before_);
    set_thread_count(threads_);
  }

 private:
  kernels::Isa before_ = kernels::chosen_isa();
  int threads_ = thread_count();
};

// x -> x / 2 + 1/4 from 1 + i: after n steps 1/2 + (1/2 + i) / 2^n, exactly. Each lane of each
// chain takes one multiply-add a step.
TEST_P(Limits, TheLoopTakesEveryStepOnEveryLane) {
  const kernels::VectorKernels* table = kernels::vector_kernels();
  const std::int64_t chains = table->fma_flops_per_step / (2 * table->lanes);
  ASSERT_GT(chains, 0);
  for (const int steps : {0, 1, 3, 10}) {
    double expected = 0;
    for (std::int64_t i = 0; i < chains; ++i) {
      expected += 0.5 + (0.5 + static_cast<double>(i)) * std::pow(0.5, steps);
    }
    EXPECT_EQ(table->fma_loop(steps, 1), static_cast<double>(table->lanes) * expected) << steps;
  }
}

TEST_P(Limits, TheTriadReachesEveryElement) {
  const kernels::VectorKernels* table = kernels::vector_kernels();
  for (const std::size_t count : {0U, 1U, 15U, 16U, 37U}) {
    std::vector<float> a(count + 1, -1);
    std::vector<float> b(count);
    std::vector<float> c(count);
    for (std::size_t i = 0; i < count; ++i) {
      b[i] = static_cast<float>(i);
      c[i] = static_cast<float>(2 * i + 1);
    }
    table->triad(a.data(), b.data(), c.data(), 3, static_cast<std::int64_t>(count));
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(a[i], static_cast<float>(7 * i + 3));
    EXPECT_EQ(a[count], -1) << "one beyond the end of " << count;
  }
}

// No machine computes an operation in no time: a loop that the compiler has removed would claim
// more than 10 TFLOP/s on a thread.
TEST_P(Limits, TheLoopIsNotOptimisedAway) {
  set_thread_count(1);
  const auto start = std::chrono::steady_clock::now();
  const double flops = kernels::run_fma_loop();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(flops / seconds, 1e13);
  set_thread_count(2);
  EXPECT_EQ(kernels::run_fma_loop(), 2 * flops);
}

/// ref has no vectors of its own.
std::vector<kernels::Isa> vector_isas() {
  std::vector<kernels::Isa> isas = kernels::available_isas();
  std::erase(isas, kernels::Isa::ref);
  return isas;
}

INSTANTIATE_TEST_SUITE_P(Isas, Limits, ::testing::ValuesIn(vector_isas()),
                         [](const auto& one) { return kernels::to_string(one.param); });

}  // namespace
}  // namespace medurwkv
