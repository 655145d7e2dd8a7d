#include "data/check/open.h"

#include <utility>

#include "data/check/faults.h"

namespace medurwkv::data {

Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options) {
  Examination set = examine_masks(root, options, silence());
  refuse_errors(set);
  return std::move(set.dataset);
}

}  // namespace medurwkv::data
