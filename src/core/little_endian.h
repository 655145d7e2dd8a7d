// Whole numbers out of bytes of little-endian files. Relies on the standard library alone.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace medurwkv {

static_assert(std::endian::native == std::endian::little,
              "numbers are copied as they lie in files");

/// The number at byte `at`; the caller has checked that all of it is there.
template <class Number>
Number number_at(std::string_view bytes, std::uint64_t at) {
  Number out;
  std::memcpy(&out, bytes.data() + at, sizeof(Number));
  return out;
}

/// Whether `size` bytes from `start` lie within `total`, without wrapping.
constexpr bool lies_within(std::uint64_t start, std::uint64_t size, std::uint64_t total) {
  return start <= total && size <= total - start;
}

}  // namespace medurwkv
