// The loops that measure a machine compute what they count, on every instruction set there is.
#include "measure/limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/vector/table.h"
#include "native/onednn.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

class Limits : public ::testing::TestWithParam<const kernels::Isa*> {
 protected:
  void SetUp() override { kernels::force_isa(*GetParam()); }
  void TearDown() override {
    kernels::force_isa(before_);
    set_thread_count(threads_);
  }

 private:
  const kernels::Isa& before_ = kernels::chosen_isa();
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
  const double flops = measure::run_fma_loop();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(flops / seconds, 1e13);
  set_thread_count(2);
  EXPECT_EQ(measure::run_fma_loop(), 2 * flops);
}

// Two rounds of made-up times: the count of the loop's operations over them.
TEST_P(Limits, AreWhatTheLoopsDoOverTheirTimes) {
  set_thread_count(1);
  const measure::MachineLoops loops;
  const std::vector<measure::Times> times{{.name = "FMA loop", .seconds = {0.5, 0.25}},
                                          {.name = "triad", .seconds = {2, 4}}};
  const std::vector<measure::Limits> limits = loops.limits(times);
  ASSERT_EQ(limits.size(), 2U);
  const double flops = measure::run_fma_loop();
  EXPECT_DOUBLE_EQ(limits[0].flops_per_second, 2 * flops);
  EXPECT_DOUBLE_EQ(limits[1].flops_per_second, 4 * flops);
  EXPECT_DOUBLE_EQ(limits[0].bytes_per_second, 2 * limits[1].bytes_per_second);
  const measure::LoopSpeeds speeds = loops.speeds(times);
  EXPECT_DOUBLE_EQ(speeds.fma_gflops.median, 3e-9 * flops);
  EXPECT_DOUBLE_EQ(speeds.triad_gb_s.median,
                   0.5e-9 * (limits[0].bytes_per_second + limits[1].bytes_per_second));
}

// Timed in turn with the loops, on one thread: a triad as a compiler makes it, of which the bytes
// are known, and oneDNN's matrix product, which times itself. Both are near the machine's limits
// (docs/performance.md), so that a limit that is wrong by a factor of four is seen. The fastest of
// all rounds count: what else runs on the machine only slows a loop.
TEST(MachineLoops, AgreeWithAnotherTriadAndAnotherProduct) {
  if (test::is_sanitized()) GTEST_SKIP() << "a sanitizer's loop is no measure of a machine";
  const int threads = thread_count();
  set_thread_count(1);
  constexpr std::size_t count = 16 << 20;
  std::vector<float> a(count);
  const std::vector<float> b(count, 1);
  const std::vector<float> c(count, 2);
  measure::MachineLoops loops;
  std::vector<measure::Contender> contenders = loops.contenders();
  contenders.push_back({.name = "another triad", .run = [&] {
                          float* to = a.data();
                          const float* one = b.data();
                          const float* other = c.data();
                          for (std::size_t i = 0; i < count; ++i) to[i] = one[i] + 3 * other[i];
                        }});
  const std::vector<measure::Times> times =
      measure::measure_in_turn(contenders, {.rounds = 5, .seconds = 0.001});
  const double bandwidth = measure::rate(times[2], 3e-9 * 4 * count).high;
  const double limit = loops.speeds(times).triad_gb_s.high;
  EXPECT_GT(limit, bandwidth / 4);
  EXPECT_LT(limit, bandwidth * 4);
  EXPECT_EQ(a[count - 1], 7);
  set_thread_count(available_cores());
  double fastest = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double flops = measure::run_fma_loop();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fastest = std::max(fastest, 1e-9 * flops / seconds.count());
  }
  const double product = native::onednn_matmul_gflops(512, 512, 512);
  EXPECT_GT(fastest, product / 4);
  EXPECT_LT(fastest, product * 4);
  set_thread_count(threads);
}

/// ref has no vectors of its own.
std::vector<const kernels::Isa*> vector_isas() {
  std::vector<const kernels::Isa*> isas = kernels::available_isas();
  std::erase(isas, kernels::find_isa("ref"));
  return isas;
}

INSTANTIATE_TEST_SUITE_P(Isas, Limits, ::testing::ValuesIn(vector_isas()),
                         [](const auto& one) { return std::string(one.param->name); });

}  // namespace
}  // namespace medurwkv
