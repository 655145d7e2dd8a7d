#include "torch/frozen.h"

#include <string_view>

namespace medurwkv::torch_backend {

Frozen::Frozen(const ParameterStore& store, const std::vector<std::string>& names)
    : store_(store), names_(names.begin(), names.end()) {
  constexpr std::string_view mean = "running_mean";
  for (const net::ParameterSpec& spec : store.specs()) {
    if (!names_.contains(spec.name)) continue;
    if (!spec.buffer) store.at(spec.name).requires_grad_(false);
    if (!spec.name.ends_with(mean)) continue;
    const std::string norm = spec.name.substr(0, spec.name.size() - mean.size());
    if (names_.contains(norm + "running_var")) {
      statistics_.insert(store.at(spec.name).unsafeGetTensorImpl());
    }
  }
}

Frozen::~Frozen() {
  for (const net::ParameterSpec& spec : store_.specs()) {
    if (!spec.buffer && names_.contains(spec.name)) store_.at(spec.name).requires_grad_(true);
  }
}

bool Frozen::holds_part_of(const std::string& name) const {
  const std::string part = name.substr(0, name.rfind('.') + 1);
  const auto first = names_.lower_bound(part);
  return first != names_.end() && first->starts_with(part);
}

}  // namespace medurwkv::torch_backend
