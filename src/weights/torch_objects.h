// What the pickle of a PyTorch checkpoint means: which globals it may name, which storages and
// tensors it describes. Relies on weights/pickle.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weights/budget.h"
#include "weights/pickle.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {

/// All that a checkpoint may name: what builds tensors, and what real ones hold beside them.
std::span<const KnownGlobal> torch_globals();

/// A run of elements that tensors are views of, as the pickle describes it.
struct Storage {
  DType type = DType::f32;
  std::int64_t elements = 0;
};

/// A tensor as the pickle describes it: a strided view of a storage.
struct StridedTensor {
  std::string name;
  std::string_view storage = {};  ///< its key
  DType type = DType::f32;
  std::int64_t offset = 0;  ///< in elements, as the strides
  Shape shape;
  Shape strides;
};

/// Tensors under their full names, in the order the checkpoint holds them, and the storages that
/// it mentions, by key. Keys lie within the pickle's stream.
struct TorchObjects {
  std::vector<StridedTensor> tensors;
  std::map<std::string_view, Storage> storages;
};

/// Throws Error beginning with `where` when a tensor is described wrongly, reaches beyond its
/// storage, or the containers lead back to themselves.
TorchObjects torch_objects(const std::string& where, const Pickle& pickle, Budget& budget);

}  // namespace medurwkv::weights
