#include "core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace medurwkv {

double Random::normal(std::uint64_t index) const {
  const std::uint64_t pair = mix64(stream_ ^ 0x6e6f726d616cU);
  const double radius_draw = static_cast<double>((mix64(pair + 2 * index) >> 11) + 1) * 0x1p-53;
  const double angle_draw = static_cast<double>(mix64(pair + 2 * index + 1) >> 11) * 0x1p-53;
  return std::sqrt(-2.0 * std::log(radius_draw)) * std::cos(2.0 * std::numbers::pi * angle_draw);
}

std::vector<std::int64_t> Random::permutation(std::int64_t count) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i, i)]);
  return order;
}

}  // namespace medurwkv
