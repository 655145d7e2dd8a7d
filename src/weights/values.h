// What the numbers of a file of weights are like. Relies on weights/tensor_file.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// A tensor's values that are no numbers.
struct BadValues {
  std::string tensor;
  std::int64_t nan = 0;
  std::int64_t infinite = 0;
};

/// The tensors with NaN or infinite values, in the file's order.
std::vector<BadValues> bad_values(const TensorFile& file);

}  // namespace medurwkv::weights
