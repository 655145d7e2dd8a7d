// Vectors of floats through the compilers' vector extensions, and exp on them. Included only by the
// files that are compiled for one instruction set each; MEDURWKV_LANES and
// MEDURWKV_KERNEL_NAMESPACE are theirs. Nothing of the standard library is used below: an instance
// compiled here for a wide instruction set could be linked into code that must run without it.
#pragma once

#include <cstdint>

#include "kernels/token_kernels.h"

#if MEDURWKV_LANES > 4
#include <immintrin.h>
#endif

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
/// Hints that the address is read soon; any address is allowed.
inline void prefetch(const float* from) {
  __builtin_prefetch(from);
}
/// The first `count` < lanes numbers, then zeros; reads no further.
inline Vector load_first(const float* from, std::int64_t count) {
#if MEDURWKV_LANES == 16
  return reinterpret_cast<Vector>(
      _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from));
#elif MEDURWKV_LANES == 8
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
  return reinterpret_cast<Vector>(_mm256_maskload_ps(from, mask));
#else
  Vector out{};
  for (std::int64_t i = 0; i < count; ++i) out[i] = from[i];
  return out;
#endif
}
/// `value` in the first `count` lanes, then zeros.
inline Vector keep_first(Vector value, std::int64_t count) {
  Integers lane{};
  for (std::int32_t i = 0; i < MEDURWKV_LANES; ++i) lane[i] = i;
  return lane < Integers{} + static_cast<std::int32_t>(count) ? value : Vector{};
}
inline Vector all(float value) {
  return Vector{} + value;
}
/// The larger one; `b` where one is a NaN. AVX2 takes the intrinsic: GCC 12 turns some uses of the
/// plain form into a comparison and a slow blend.
inline Vector largest(Vector a, Vector b) {
#if MEDURWKV_LANES == 8
  return reinterpret_cast<Vector>(_mm256_max_ps(a, b));
#else
  return a > b ? a : b;
#endif
}
inline Vector smallest(Vector a, Vector b) {
#if MEDURWKV_LANES == 8
  return reinterpret_cast<Vector>(_mm256_min_ps(a, b));
#else
  return a < b ? a : b;
#endif
}
inline float largest(float a, float b) {
  return a > b ? a : b;
}

/// Every other number of `a` followed by `b`: from the first on (evens) or the second (odds).
inline Vector evens(Vector a, Vector b) {
#if MEDURWKV_LANES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif MEDURWKV_LANES == 8
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}
inline Vector odds(Vector a, Vector b) {
#if MEDURWKV_LANES == 16
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif MEDURWKV_LANES == 8
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#endif
}

typedef float Quad __attribute__((vector_size(16)));  // NOLINT
/// Sums of every fourth lane.
inline Quad folded(Vector x) {
  Quad parts[lanes / 4];
  __builtin_memcpy(parts, &x, sizeof x);
  Quad sum = parts[0];
  for (std::int64_t i = 1; i < lanes / 4; ++i) sum = sum + parts[i];
  return sum;
}
/// The sums over the lanes of a, b, c and d.
inline Quad added_up(Vector a, Vector b, Vector c, Vector d) {
  const Quad quads[4] = {folded(a), folded(b), folded(c), folded(d)};
  const Quad ab = __builtin_shufflevector(quads[0], quads[1], 0, 4, 1, 5) +
                  __builtin_shufflevector(quads[0], quads[1], 2, 6, 3, 7);
  const Quad cd = __builtin_shufflevector(quads[2], quads[3], 0, 4, 1, 5) +
                  __builtin_shufflevector(quads[2], quads[3], 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

inline Integers bits_of(Vector x) {
  return reinterpret_cast<Integers>(x);
}

inline void put(Vector value, float /*steps*/, float* to) {
  store(to, value);
}
/// The lowest bytes of each number, in their order. GCC 12 makes __builtin_convertvector to so much
/// narrower numbers one number at a time, and warns of its own header's unmasked forms.
inline void put_low_bytes(Integers numbers, std::int8_t* to) {
#if MEDURWKV_LANES == 16
  const __m128i out = _mm512_maskz_cvtepi32_epi8(0xffff, reinterpret_cast<__m512i>(numbers));
#else
  typedef std::int8_t Bytes __attribute__((vector_size(4 * MEDURWKV_LANES)));  // NOLINT
  typedef std::int8_t Low __attribute__((vector_size(MEDURWKV_LANES)));        // NOLINT
  const auto bytes = reinterpret_cast<Bytes>(numbers);
#if MEDURWKV_LANES == 8
  const Low out = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 16, 20, 24, 28);
#else
  const Low out = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12);
#endif
#endif
  __builtin_memcpy(to, &out, sizeof out);
}
inline void put_low_halves(Integers numbers, std::uint16_t* to) {
#if MEDURWKV_LANES == 16
  const __m256i out = _mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(numbers));
#else
  typedef std::uint16_t Halves __attribute__((vector_size(2 * MEDURWKV_LANES)));  // NOLINT
  const Halves out = __builtin_convertvector(numbers, Halves);
#endif
  __builtin_memcpy(to, &out, sizeof out);
}

/// As put of one number (kernels/token_loops.h).
inline void put(Vector value, float /*steps*/, Bfloat16* to) {
  typedef std::uint32_t Bits __attribute__((vector_size(4 * MEDURWKV_LANES)));  // NOLINT
  const auto bits = reinterpret_cast<Bits>(value);
  put_low_halves(reinterpret_cast<Integers>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16),
                 reinterpret_cast<std::uint16_t*>(to));
}
inline void put(Vector value, float steps, Int8* to) {
  const Vector above = largest(value * steps, all(-127.F));
  const Vector held = smallest(above, all(127.F));
  put_low_bytes(bits_of(held + 12582912.F), reinterpret_cast<std::int8_t*>(to));
}

/// 2^n of a float that holds n + 12582912. In lanes that nobody reads it may hold anything, so the
/// bits are unsigned: those wrap.
inline Vector power_of_two(Vector shifted) {
  typedef std::uint32_t Bits __attribute__((vector_size(4 * MEDURWKV_LANES)));  // NOLINT
  return reinterpret_cast<Vector>((reinterpret_cast<Bits>(shifted) << 23) + 0x3f800000U);
}
inline float power_of_two(float shifted) {
  return __builtin_bit_cast(float,
                            (__builtin_bit_cast(std::uint32_t, shifted) << 23) + 0x3f800000U);
}

/// 2^n (1 + q) = exp(x), |q| < 0.42, of a vector or one number, for x from -86.5 to 88. Cephes'
/// polynomial, about one unit in the last place.
template <class Number>
struct Power {
  Number scale;  // 2^n
  Number q;
};
template <class Number>
inline Power<Number> power(Number x) {
  const Number shifted = x * 1.44269504F + 12582912.F;  // rounds to a whole number in the low bits
  const Number whole = shifted - 12582912.F;
  Number r = x - whole * 0.693359375F;
  r = r + whole * 2.12194440e-4F;
  Number p = Number{} + 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  return {power_of_two(shifted), p * (r * r) + r};
}

/// exp(x), at least exp(-86.5) = 2.7e-38; x is at most 88.
template <class Number>
inline Number exponential(Number x) {
  const Power<Number> parts = power(largest(x, Number{} - 86.5F));
  return parts.scale * parts.q + parts.scale;
}

/// exp(x) - 1, accurate for small x too, for x from -86.5 to 88.
template <class Number>
inline Number exponential_minus_1(Number x) {
  const Power<Number> parts = power(x);
  return parts.scale * parts.q + (parts.scale - 1.F);
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
