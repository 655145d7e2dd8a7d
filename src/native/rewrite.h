// A plan that is written anew, operation by operation, under new ids. Relies on plan/plan.h.
#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::native {

class Rewriting {
 protected:
  /// The new plan begins with the parameters and the input of `from`, which must outlive this.
  explicit Rewriting(const plan::Plan& from) : from_(from) {
    to_.parameters = from.parameters;
    to_.stages = from.stages;
    for (plan::ValueId id = 0; id < std::ssize(from.values); ++id) {
      if (id != from.input && !from.is_parameter(id)) continue;
      ids_[id] = to_.add_value(from.shape(id));
      to_.values.back().parameter = from.value(id).parameter;
    }
    to_.input = ids_.at(from.input);
  }

  /// Appends an operation of a stage; the new ids of its outputs.
  std::vector<plan::ValueId> add(std::size_t stage, const plan::OpType& type,
                                 std::vector<plan::ValueId> inputs, plan::Detail detail = {}) {
    std::vector<plan::ValueId> out = to_.add(type, std::move(inputs), std::move(detail));
    to_.operations.back().stage = stage;
    return out;
  }

  const plan::Plan& from_;
  plan::Plan to_;
  std::map<plan::ValueId, plan::ValueId> ids_;  ///< of what has been written, by its id in from_
};

}  // namespace medurwkv::native
