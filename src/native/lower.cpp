#include "native/lower.h"

#include <algorithm>
#include <map>
#include <utility>

#include "native/rewrite.h"
#include "plan/ops.h"

namespace medurwkv::native {
namespace {

using plan::Operation;
using plan::Plan;
using plan::ValueId;

/// Copies operations into a new plan under new ids.
class Lowering : Rewriting {
 public:
  explicit Lowering(const Plan& from) : Rewriting(from) {}

  Plan run() {
    bring_in_the_input();
    for (const Operation& op : from_.operations) copy(op);
    for (const ValueId id : from_.outputs) to_.outputs.push_back(brought_out(id));
    return std::move(to_);
  }

 private:
  [[nodiscard]] bool is_output(ValueId id) const {
    return std::find(from_.outputs.begin(), from_.outputs.end(), id) != from_.outputs.end();
  }

  void bring_in_the_input() {
    const Shape& shape = from_.shape(from_.input);
    net::Grid grid{shape[2], shape[3]};
    ValueId brought = from_.input;
    if (!from_.operations.empty() && from_.operations.front().is(plan::op::pad_edge)) {
      const Operation& pad = from_.operations.front();
      grid = std::get<net::Grid>(pad.detail);
      brought = pad.output();
    }
    ids_[brought] = add(0, from_planes, {to_.input}, grid).front();
  }

  void copy(const Operation& op) {
    if (ids_.contains(op.output())) return;  // it is in from_planes
    if (op.is(plan::op::crop) && is_output(op.output())) {
      crops_[op.output()] = op.inputs.front();
      return;
    }
    std::vector<ValueId> inputs;
    for (const ValueId id : op.inputs) inputs.push_back(ids_.at(id));
    const bool several = from_.shape(op.output()).front() > 1;
    const plan::OpType& type = op.is(plan::op::slice) && several ? copied_slice : *op.type;
    const std::vector<ValueId> made = add(op.stage, type, std::move(inputs), op.detail);
    for (std::size_t i = 0; i < made.size(); ++i) ids_[op.outputs[i]] = made[i];
  }

  ValueId brought_out(ValueId id) {
    const Shape& shape = from_.shape(id);
    if (shape.size() != 4) return ids_.at(id);
    const auto crop = crops_.find(id);
    const ValueId whole = crop == crops_.end() ? id : crop->second;
    return add(to_.stages.size() - 1, to_planes, {ids_.at(whole)}, net::Grid{shape[2], shape[3]})
        .front();
  }

  std::map<ValueId, ValueId> crops_;  ///< outputs that are a part of a map
};

void run_from_planes(const std::vector<const plan::Array*>& in, const plan::Detail& detail,
                     std::vector<plan::Array>& out) {
  plan::op::pad_edge.run(in, detail, out);
}

plan::Shapes planes_shapes(const plan::Shapes& in, const plan::Detail& detail) {
  return plan::op::crop.shapes(in, detail);
}

void run_to_planes(const std::vector<const plan::Array*>& in, const plan::Detail& detail,
                   std::vector<plan::Array>& out) {
  plan::op::crop.run(in, detail, out);
}

plan::Shapes slice_shapes(const plan::Shapes& in, const plan::Detail& detail) {
  return plan::op::slice.shapes(in, detail);
}

void run_slice(const std::vector<const plan::Array*>& in, const plan::Detail& detail,
               std::vector<plan::Array>& out) {
  plan::op::slice.run(in, detail, out);
}

}  // namespace

const plan::OpType from_planes{
    .name = "from_planes", .shapes = planes_shapes, .run = run_from_planes};
const plan::OpType to_planes{.name = "to_planes", .shapes = planes_shapes, .run = run_to_planes};
const plan::OpType copied_slice{.name = "slice", .shapes = slice_shapes, .run = run_slice};

Plan lower(const Plan& plan) {
  return Lowering(plan).run();
}

}  // namespace medurwkv::native
