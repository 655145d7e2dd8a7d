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
