#include "native/seen_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace medurwkv::native {

void SeenNumbers::see(const plan::Plan& fused, const plan::Operation& operation,
                      std::span<const float* const> inputs) {
  const std::int64_t source = source_of(fused, operation);
  if (source < 0) return;
  const auto at = static_cast<std::size_t>(source);
  const std::span<const float> numbers(
      inputs[at], static_cast<std::size_t>(element_count(fused.shape(operation.inputs[at]))));
  Histogram& histogram = seen_[weight_of(fused, operation)];
  for (const float one : numbers)
    ++histogram[(std::bit_cast<std::uint32_t>(one) & 0x7fffffff) >> shift];
}

double SeenNumbers::value_of(std::size_t bin) {
  const auto bits = (static_cast<std::uint32_t>(bin) << shift) + (1U << (shift - 1));
  return static_cast<double>(std::bit_cast<float>(bits));
}

ProductRange SeenNumbers::range_of(const std::string& weight, const Histogram& seen) {
  ProductRange out{.weight = weight};
  std::size_t last = 0;
  double squares = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    if (seen[i] == 0) continue;
    last = i;
    squares += static_cast<double>(seen[i]) * value_of(i) * value_of(i);
  }
  double least = std::numeric_limits<double>::infinity();
  // Down to 1/32 of the largest: further down more is lost than a finer step gains.
  for (std::size_t top = last; top + 5 * 16 > last; --top) {
    const double range = value_of(top);
    const double step = range / 127;
    double error = 0;
    for (std::size_t i = 0; i <= last; ++i) {
      if (seen[i] == 0) continue;
      const double x = value_of(i);
      const double lost = x > range ? (x - range) * (x - range) : std::min(x * x, step * step / 12);
      error += static_cast<double>(seen[i]) * lost;
    }
    if (error < least) {
      least = error;
      out.range = range;
    }
    if (top == 0) break;
  }
  out.error = squares > 0 ? std::sqrt(least / squares) : 0;
  return out;
}

std::vector<ProductRange> SeenNumbers::products() const {
  std::vector<ProductRange> out;
  out.reserve(seen_.size());
  for (const auto& [weight, seen] : seen_) out.push_back(range_of(weight, seen));
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.error > b.error; });
  return out;
}

}  // namespace medurwkv::native
