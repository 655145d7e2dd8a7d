// What a processor can do at most, compiled once per instruction set: multiply-adds on registers
// alone, and a triad over arrays in memory.
#pragma once

#include "kernels/vector/simd.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

/// Independent chains of multiply-adds: enough to hide the latency on two units, few enough to fit
/// in 16 registers beside `factor` and `term`.
inline constexpr std::int64_t fma_chains = 12;

/// steps x fma_chains x lanes multiply-adds, two operations each. The values stay near 1.
inline float fma_loop(std::int64_t steps, float start) {
  Vector sums[fma_chains];
  for (std::int64_t i = 0; i < fma_chains; ++i) sums[i] = all(start + static_cast<float>(i));
  const Vector factor = all(start * 0.5F);
  const Vector term = all(start * 0.25F);
  for (std::int64_t step = 0; step < steps; ++step) {
    // NOLINTNEXTLINE(modernize-loop-convert): GCC 12 makes an endless loop of that under UBSan
    for (std::int64_t i = 0; i < fma_chains; ++i) sums[i] = sums[i] * factor + term;
  }
  Vector all_sums{};
  // NOLINTNEXTLINE(modernize-loop-convert)
  for (std::int64_t i = 0; i < fma_chains; ++i) all_sums += sums[i];
  float out = 0;
  for (std::int64_t i = 0; i < lanes; ++i) out += all_sums[i];
  return out;
}

/// a = b + factor c.
inline void triad(float* a, const float* b, const float* c, float factor, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(a + i, load(b + i) + factor * load(c + i));
  for (; i < count; ++i) a[i] = b[i] + factor * c[i];
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
