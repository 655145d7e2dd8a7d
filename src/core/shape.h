// Shapes of dense arrays, outermost dimension first. Relies on core/error.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv {

using Shape = std::vector<std::int64_t>;

/// Product of all sides (1 for a scalar). Throws Error when a side is negative or the product
/// does not fit in 63 bits.
std::int64_t element_count(const Shape& shape);

/// "2x3x64x96"; "scalar" for an empty shape.
std::string shape_text(const Shape& shape);

/// Rounds `value` up to a multiple of `step` (both positive).
constexpr std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace medurwkv
