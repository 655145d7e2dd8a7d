#include "plan/reference.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::plan {

std::vector<Array> run_reference(const Plan& plan,
                                 const std::vector<std::vector<double>>& parameters,
                                 std::vector<double> input) {
  std::vector<Array> values;
  for (const Value& one : plan.values) {
    Array array{.shape = one.shape, .values = {}};
    if (one.parameter) array.values = parameters.at(*one.parameter);
    values.push_back(std::move(array));
  }
  values.at(static_cast<std::size_t>(plan.input)).values = std::move(input);
  for (const Operation& op : plan.operations) {
    std::vector<const Array*> in;
    for (const ValueId id : op.inputs) {
      const Array& array = values.at(static_cast<std::size_t>(id));
      if (std::ssize(array.values) != element_count(array.shape)) {
        throw_internal(concat(op.type->name, " reads value ", id, " of ", shape_text(array.shape),
                              ", which has ", array.values.size(), " numbers"));
      }
      in.push_back(&array);
    }
    if (op.type->shapes(plan.shapes(op.inputs), op.detail) != plan.shapes(op.outputs)) {
      throw_internal(concat(op.type->name, " has outputs of other shapes than it makes"));
    }
    std::vector<Array> out;
    for (const ValueId id : op.outputs) {
      Array array{.shape = plan.shape(id), .values = {}};
      array.values.resize(static_cast<std::size_t>(element_count(array.shape)));
      out.push_back(std::move(array));
    }
    op.type->run(in, op.detail, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      values.at(static_cast<std::size_t>(op.outputs[i])) = std::move(out[i]);
    }
  }
  return values;
}

}  // namespace medurwkv::plan
