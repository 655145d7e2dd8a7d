// The 16-bit floating-point types as numbers. Relies on the standard library alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace medurwkv {

/// IEEE 754 binary16, exactly.
inline double half_to_double(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

/// bfloat16: the upper half of a float.
inline double bfloat16_to_double(std::uint16_t bits) {
  return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
}

}  // namespace medurwkv
