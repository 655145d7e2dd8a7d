// Tensors that a training step leaves as they are. Relies on torch/parameter_store.h.
#pragma once

#include "torch/aten.h"

#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "torch/parameter_store.h"

namespace medurwkv::torch_backend {

/// While it lives, the named tensors of the store have no gradient; the parts they belong to drop
/// no paths; batch normalisations whose running statistics are among them run on those and leave
/// them alone.
class Frozen {
 public:
  /// The store must outlive it.
  Frozen(const ParameterStore& store, const std::vector<std::string>& names);
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  Frozen(Frozen&&) = delete;
  Frozen& operator=(Frozen&&) = delete;
  ~Frozen();

  /// Whether a tensor of the part that holds `name` (a.b.c: of a.b) is frozen.
  [[nodiscard]] bool holds_part_of(const std::string& name) const;
  /// Whether a batch normalisation runs on its stored statistics.
  [[nodiscard]] bool holds_statistics(const at::Tensor& running_mean) const {
    return statistics_.contains(running_mean.unsafeGetTensorImpl());
  }

 private:
  const ParameterStore& store_;
  std::set<std::string> names_;
  std::unordered_set<const void*> statistics_;
};

}  // namespace medurwkv::torch_backend
