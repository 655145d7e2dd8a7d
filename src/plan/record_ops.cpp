#include "plan/record_ops.h"

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::plan {

static_assert(net::Ops<RecordOps>);

RecordOps::Tensor RecordOps::param(const net::ParameterSpec& spec) {
  const auto known = by_name_.find(spec.name);
  if (known != by_name_.end()) {
    // The three grids of a ConvFFN share one depthwise convolution.
    if (shape(known->second) != spec.shape) {
      throw_internal(medurwkv::concat("parameter ", spec.name, " is asked for with two shapes"));
    }
    return known->second;
  }
  const Tensor id = plan_.add_value(spec.shape);
  plan_.values.back().parameter = plan_.parameters.size();
  plan_.parameters.push_back(spec);
  by_name_.emplace(spec.name, id);
  return id;
}

}  // namespace medurwkv::plan
