// Which ranges int8 needs: what a network's products read while it runs in float32. Relies on
// native/precision.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "native/precision.h"

namespace medurwkv::native {

struct ProductRange {
  std::string weight;  ///< its name
  double range = 0;    ///< the largest |x| that is not cut off
  /// Root of the mean squared error of the numbers in 8 bits over that of the numbers.
  double error = 0;
};

class SeenNumbers {
 public:
  /// Of an operation that has run, in float32; others than products are passed over.
  void see(const plan::Plan& fused, const plan::Operation& operation,
           std::span<const float* const> inputs);

  /// All products that were seen, each with the range of the least squared error: a larger one
  /// makes the steps between whole numbers larger, a smaller one cuts more off. The largest error
  /// first.
  [[nodiscard]] std::vector<ProductRange> products() const;

 private:
  /// How many numbers were near |x|: 16 bins from one power of two to the next.
  static constexpr int shift = 19;
  static constexpr std::size_t bins = std::size_t{1} << (31 - shift);
  using Histogram = std::array<std::int64_t, bins>;

  static double value_of(std::size_t bin);
  static ProductRange range_of(const std::string& weight, const Histogram& seen);

  std::map<std::string, Histogram> seen_;  ///< by the weight's name
};

}  // namespace medurwkv::native
