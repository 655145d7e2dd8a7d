#include "weights/values.h"

#include <cmath>

namespace medurwkv::weights {

std::vector<BadValues> bad_values(const TensorFile& file) {
  std::vector<BadValues> out;
  for (const TensorInfo& tensor : file.tensors()) {
    BadValues bad{.tensor = tensor.name};
    for (const double value : file.values(tensor.name)) {
      if (std::isnan(value)) ++bad.nan;
      if (std::isinf(value)) ++bad.infinite;
    }
    if (bad.nan + bad.infinite > 0) out.push_back(bad);
  }
  return out;
}

}  // namespace medurwkv::weights
