// Deformable attention of one head, a head's channels in vectors; compiled once per instruction
// set.
#pragma once

#include "kernels/deform_attn_loops.h"
#include "kernels/vector/simd.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

struct VectorChannels {
  static float exponential(float x) { return __builtin_expf(x); }
  /// to += factor from
  static void add(float factor, const float* from, std::int64_t count, float* to) {
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, load(to + i) + factor * load(from + i));
    for (; i < count; ++i) to[i] += factor * from[i];
  }
  /// to = sum over the rows of factor (values at the row)
  static void combine(const float* values, const std::int64_t* rows, const float* factors,
                      std::int64_t row_count, std::int64_t count, float* to) {
    std::int64_t i = 0;
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
      Vector first{};
      Vector second{};
      for (std::int64_t n = 0; n < row_count; ++n) {
        const float* from = values + rows[n] + i;
        first = first + factors[n] * load(from);
        second = second + factors[n] * load(from + lanes);
      }
      store(to + i, first);
      store(to + i + lanes, second);
    }
    for (; i + lanes <= count; i += lanes) {
      Vector sum{};
      for (std::int64_t n = 0; n < row_count; ++n) {
        sum = sum + factors[n] * load(values + rows[n] + i);
      }
      store(to + i, sum);
    }
    for (; i < count; ++i) {
      float sum = 0;
      for (std::int64_t n = 0; n < row_count; ++n) sum += factors[n] * values[rows[n] + i];
      to[i] = sum;
    }
  }
  static float dot(const float* a, const float* b, std::int64_t count) {
    Vector sums{};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) sums = sums + load(a + i) * load(b + i);
    float sum = 0;
    for (std::int64_t lane = 0; lane < lanes; ++lane) sum += sums[lane];
    for (; i < count; ++i) sum += a[i] * b[i];
    return sum;
  }
};

inline void deform_forward(const DeformHead<float>& head) {
  deform_forward_head<VectorChannels>(head);
}
inline void deform_backward(const DeformHead<float>& head) {
  deform_backward_head<VectorChannels>(head);
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
