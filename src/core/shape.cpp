#include "core/shape.h"

#include "core/error.h"
#include "core/text.h"

namespace medurwkv {

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t side : shape) {
    if (side < 0) throw_failure(concat("shape ", shape_text(shape), " has a negative side"));
    if (__builtin_mul_overflow(count, side, &count)) {
      throw_failure(
          concat("shape ", shape_text(shape), " has more elements than 63 bits can count"));
    }
  }
  return count;
}

std::string shape_text(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string out;
  for (const std::int64_t side : shape) {
    if (!out.empty()) out += 'x';
    out += std::to_string(side);
  }
  return out;
}

}  // namespace medurwkv
