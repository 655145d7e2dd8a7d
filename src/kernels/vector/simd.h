// Vectors of floats through the compilers' vector extensions, and exp on them. Included only by the
// files that are compiled for one instruction set each; MEDURWKV_LANES and
// MEDURWKV_KERNEL_NAMESPACE are theirs. Nothing of the standard library is used below: an instance
// compiled here for a wide instruction set could be linked into code that must run without it.
#pragma once

#include <cstdint>

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

inline constexpr std::int64_t lanes = MEDURWKV_LANES;

typedef float Vector __attribute__((vector_size(4 * MEDURWKV_LANES)));           // NOLINT
typedef std::int32_t Integers __attribute__((vector_size(4 * MEDURWKV_LANES)));  // NOLINT

inline Vector load(const float* from) {
  Vector out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
inline void store(float* to, Vector value) {
  __builtin_memcpy(to, &value, sizeof value);
}
inline Vector all(float value) {
  return Vector{} + value;
}
inline Vector largest(Vector a, Vector b) {
  return a > b ? a : b;
}

/// 2^n (1 + q) = exp(x), |q| < 0.42. What is below exp(-86.5) (2.7e-38) becomes that; x above 88 is
/// not for it. Cephes' polynomial, about one unit in the last place.
struct Power {
  Vector scale;  // 2^n
  Vector q;
};
inline Power power(Vector x) {
  x = largest(x, all(-86.5F));
  const Vector shifted = x * 1.44269504F + 12582912.F;  // rounds to a whole number in the low bits
  const Vector whole = shifted - 12582912.F;
  Vector r = x - whole * 0.693359375F;
  r = r + whole * 2.12194440e-4F;
  Vector p = all(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Integers bits = (reinterpret_cast<Integers>(shifted) << 23) + 0x3f800000;
  return {reinterpret_cast<Vector>(bits), p * (r * r) + r};
}

inline Vector exponential(Vector x) {
  const Power parts = power(x);
  return parts.scale * parts.q + parts.scale;
}

/// exp(x) - 1, accurate for small x too.
inline Vector exponential_minus_1(Vector x) {
  const Power parts = power(x);
  return parts.scale * parts.q + (parts.scale - 1.F);
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
