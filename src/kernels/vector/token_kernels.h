// The loops over rows of channels, in vectors; compiled once per instruction set.
#pragma once

#include "kernels/token_loops.h"
#include "kernels/vector/simd.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

struct VectorRows {
  /// The compiler vectorises the loop around it. exp here takes at most 88; beyond it a sigmoid is
  /// 0 as far as float32 can tell (6e-39).
  static float exponential(float x) {
    return kernels::MEDURWKV_KERNEL_NAMESPACE::exponential(x < 88.F ? x : 88.F);
  }
  static float root(float x) { return __builtin_sqrtf(x); }

  /// Sum of term(i, n) over vectors of n numbers from i on. Lanes beyond the end must be 0 in term.
  template <class Term>
  static float total(std::int64_t count, const Term& term) {
    Vector sums{};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) sums = sums + term(i, lanes);
    if (i < count) sums = sums + term(i, count - i);
    // By halves: one lane after the other would wait for each addition.
    const Quad quads = folded(sums);
    return (quads[0] + quads[2]) + (quads[1] + quads[3]);
  }
  static Vector some(const float* from, std::int64_t count) {
    return count == lanes ? load(from) : load_first(from, count);
  }
  /// x - mean; 0 beyond the end.
  static Vector centred(const float* x, float mean, std::int64_t count) {
    return count == lanes ? load(x) - mean : keep_first(load_first(x, count) - mean, count);
  }

  /// y = term(i, n), vectors of n numbers from i on.
  template <class Out, class Term>
  static void write(std::int64_t count, float steps, const Term& term, Out* y) {
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) put(term(i, lanes), steps, y + i);
    if (i == count) return;
    const Vector rest = term(i, count - i);
    for (std::int64_t n = 0; i + n < count; ++n) put(rest[n], steps, y + i + n);
  }

  static float sum(const float* x, std::int64_t count) {
    return total(count, [&](std::int64_t i, std::int64_t n) { return some(x + i, n); });
  }
  static float squares(const float* x, float mean, std::int64_t count) {
    return total(count, [&](std::int64_t i, std::int64_t n) {
      const Vector off = centred(x + i, mean, n);
      return off * off;
    });
  }
  static float dot(const float* a, const float* b, std::int64_t count) {
    return total(count,
                 [&](std::int64_t i, std::int64_t n) { return some(a + i, n) * some(b + i, n); });
  }
  static float dot_from(const float* a, const float* b, const float* x, float mean,
                        std::int64_t count) {
    return total(count, [&](std::int64_t i, std::int64_t n) {
      return some(a + i, n) * some(b + i, n) * centred(x + i, mean, n);
    });
  }
};

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
