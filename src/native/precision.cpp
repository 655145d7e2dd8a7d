#include "native/precision.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "native/fuse.h"
#include "native/onednn.h"
#include "native/rewrite.h"
#include "plan/ops.h"

namespace medurwkv::native {
namespace {

using plan::NumberType;
using plan::Operation;
using plan::Plan;
using plan::ValueId;

/// A product gains nothing from short rows: they do not fill the processor's tiles.
constexpr std::int64_t least_inner = 32;

/// Where a product's x is among its inputs; -1 for what is no product, or none that gains.
std::int64_t source_of(const Plan& plan, const Operation& op) {
  static const std::map<const plan::OpType*, std::int64_t> sources{
      {&plan::op::linear, 0},
      {&linear_sigmoid, 0},
      {&linear_squared_relu, 0},
      {&linear_gate, 1},
      {&gated_linear, 1},
      {&linear_add, 1},
      {&gated_linear_add, 2},
      {&plan::op::conv2d, 0},
      {&conv2d_relu, 0},
      {&conv2d_gelu, 0},
      {&plan::op::conv_transpose2d, 0}};
  const auto found = sources.find(op.type);
  if (found == sources.end()) return -1;
  if (const auto* how = std::get_if<net::Convolution>(&op.detail); how && how->groups > 1)
    return -1;
  const Shape& weight = plan.shape(op.inputs[static_cast<std::size_t>(found->second) + 1]);
  const std::int64_t inner =
      op.is(plan::op::conv_transpose2d) ? weight[0] : element_count(weight) / weight[0];
  return inner < least_inner ? -1 : found->second;
}

class Narrowing : Rewriting {
 public:
  explicit Narrowing(const Plan& from) : Rewriting(from), narrow_(from.values.size(), false) {
    // What is only read as bfloat16, with views of it.
    std::vector<bool> only_narrow(from.values.size(), true);
    const auto at = [](ValueId id) { return static_cast<std::size_t>(id); };
    for (const ValueId id : from.outputs) only_narrow[at(id)] = false;
    for (std::size_t i = from.operations.size(); i-- > 0;) {
      const Operation& op = from.operations[i];
      for (std::size_t k = 0; k < op.inputs.size(); ++k) {
        const bool reads = op.type->view ? only_narrow[at(op.output())] : reads_narrow(op, k);
        if (!reads) only_narrow[at(op.inputs[k])] = false;
      }
    }
    for (const Operation& op : from.operations) {
      for (const ValueId id : op.outputs) {
        narrow_[at(id)] =
            only_narrow[at(id)] && (op.type->view ? narrow_[at(op.inputs[0])] : writes_narrow(op));
      }
    }
  }

  Plan run() {
    for (const Operation& op : from_.operations) copy(op);
    for (const ValueId id : from_.outputs) to_.outputs.push_back(ids_.at(id));
    return std::move(to_);
  }

 private:
  [[nodiscard]] bool is_narrow(ValueId id) const { return narrow_[static_cast<std::size_t>(id)]; }

  [[nodiscard]] bool reads_narrow(const Operation& op, std::size_t input) const {
    return source_of(from_, op) == static_cast<std::int64_t>(input) || reads_either(op, input);
  }
  /// The open gate, which oneDNN multiplies by in either type.
  static bool reads_either(const Operation& op, std::size_t input) {
    return (op.is(gated_linear) && input == 0) || (op.is(gated_linear_add) && input == 1);
  }
  [[nodiscard]] bool writes_narrow(const Operation& op) const {
    return (source_of(from_, op) >= 0 && !op.is(plan::op::conv_transpose2d)) ||
           op.is(plan::op::shift_mix) || op.is(plan::op::layer_norm);
  }

  void copy(const Operation& op) {
    const std::int64_t source = source_of(from_, op);
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      const ValueId id = op.inputs[i];
      const bool wants = source == static_cast<std::int64_t>(i) && !is_narrow(id);
      inputs.push_back(wants ? narrowed(op.stage, id) : ids_.at(id));
    }
    const std::vector<ValueId> made = add(op.stage, *op.type, std::move(inputs), op.detail);
    for (std::size_t k = 0; k < made.size(); ++k) {
      ids_[op.outputs[k]] = made[k];
      if (is_narrow(op.outputs[k])) set_narrow(made[k]);
    }
  }

  ValueId narrowed(std::size_t stage, ValueId id) {
    const auto known = narrowed_.find(id);
    if (known != narrowed_.end()) return known->second;
    const ValueId out = add(stage, narrow, {ids_.at(id)}).front();
    set_narrow(out);
    narrowed_[id] = out;
    return out;
  }

  void set_narrow(ValueId id) {
    to_.values[static_cast<std::size_t>(id)].type = NumberType::bfloat16;
  }

  std::vector<bool> narrow_;             ///< values of from_ that are held so
  std::map<ValueId, ValueId> narrowed_;  ///< by an operation of its own
};

plan::Shapes as_first(const plan::Shapes& in, const plan::Detail& /*detail*/) {
  return {in[0]};
}

void run_narrow(const std::vector<const plan::Array*>& in, const plan::Detail& /*detail*/,
                std::vector<plan::Array>& out) {
  out[0].values = in[0]->values;
}

}  // namespace

const plan::OpType narrow{.name = "narrow", .shapes = as_first, .run = run_narrow};

const char* to_string(Precision precision) {
  return precision == Precision::float32 ? "float32" : "bfloat16";
}

Precision precision_from(const std::string& name) {
  if (name == "auto") return onednn_has_bfloat16() ? Precision::bfloat16 : Precision::float32;
  const std::vector<std::string> known{"float32", "bfloat16", "auto"};
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    throw_usage(concat("--precision ", shown(name), ": unknown", suggestion(name, known)));
  }
  if (name == "float32") return Precision::float32;
  if (!onednn_has_bfloat16()) {
    throw_usage(
        "--precision bfloat16: this processor has neither avx512_bf16 nor amx_bf16; use float32, "
        "or "
        "auto, which takes what is there");
  }
  return Precision::bfloat16;
}

Plan in_precision(const Plan& fused, Precision precision) {
  return precision == Precision::float32 ? fused : Narrowing(fused).run();
}

}  // namespace medurwkv::native
