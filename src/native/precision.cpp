#include "native/precision.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "native/fuse.h"
#include "native/onednn.h"
#include "native/rewrite.h"
#include "plan/ops.h"

namespace medurwkv::native {
namespace {

using plan::Held;
using plan::NumberType;
using plan::Operation;
using plan::Plan;
using plan::ValueId;

/// A product gains nothing from short rows: they do not fill the processor's tiles.
constexpr std::int64_t least_inner = 32;

class Narrowing : Rewriting {
 public:
  Narrowing(const Plan& from, Precision precision, const Ranges& ranges)
      : Rewriting(from), precision_(precision), ranges_(ranges), held_(from.values.size()) {
    for (const Operation& op : from.operations) wanted_.push_back(wanted_by(op));
    const std::vector<Held> read = as_all_read();
    for (std::size_t i = 0; i < from.operations.size(); ++i) {
      const Operation& op = from.operations[i];
      // A shift mix writes all of its outputs alike.
      const NumberType first = read[at(op.outputs[0])].type;
      const bool alike =
          std::ranges::all_of(op.outputs, [&](ValueId id) { return read[at(id)].type == first; });
      for (const ValueId id : op.outputs) {
        held_[at(id)] = op.type->view ? held_[at(op.inputs[0])]
                        : alike       ? written(i, read[at(id)])
                                      : Held{};
      }
    }
  }

  Plan run() {
    for (std::size_t i = 0; i < from_.operations.size(); ++i) copy(i);
    for (const ValueId id : from_.outputs) to_.outputs.push_back(ids_.at(id));
    return std::move(to_);
  }

 private:
  static std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

  /// How an operation reads its x; float32 for what is no product.
  [[nodiscard]] Held wanted_by(const Operation& op) const {
    if (source_of(from_, op) < 0) return {};
    if (precision_ == Precision::bfloat16) return {.type = NumberType::bfloat16};
    const auto range = ranges_.find(weight_of(from_, op));
    if (range == ranges_.end()) return {};
    return {.type = NumberType::int8, .step = range->second / most_int8};
  }

  /// How operation `i` reads an input.
  [[nodiscard]] Held reads(std::size_t i, std::size_t input) const {
    const Operation& op = from_.operations[i];
    if (source_of(from_, op) == static_cast<std::int64_t>(input)) return wanted_[i];
    // The open gate, which oneDNN multiplies by in any type. It is a sigmoid, from 0 to 1.
    const bool is_gate =
        (op.is(gated_linear) && input == 0) || (op.is(gated_linear_add) && input == 1);
    if (!is_gate) return {};
    if (wanted_[i].type != NumberType::int8) return wanted_[i];
    return {.type = NumberType::uint8, .step = 1 / most_uint8};
  }

  /// How every reader of a value reads it, and of its views; float32 where they differ.
  [[nodiscard]] std::vector<Held> as_all_read() const {
    std::vector<std::optional<Held>> read(from_.values.size());
    for (const ValueId id : from_.outputs) read[at(id)] = Held{};
    for (std::size_t i = from_.operations.size(); i-- > 0;) {
      const Operation& op = from_.operations[i];
      for (std::size_t k = 0; k < op.inputs.size(); ++k) {
        const Held how = op.type->view ? read[at(op.output())].value_or(Held{}) : reads(i, k);
        std::optional<Held>& known = read[at(op.inputs[k])];
        known = !known || *known == how ? how : Held{};
      }
    }
    std::vector<Held> out;
    for (const std::optional<Held>& one : read) out.push_back(one.value_or(Held{}));
    return out;
  }

  /// How operation `i` writes what all its readers want as `read`.
  [[nodiscard]] Held written(std::size_t i, const Held& read) const {
    const Operation& op = from_.operations[i];
    const bool narrow_product =
        wanted_[i].type != NumberType::float32 && !op.is(plan::op::conv_transpose2d);
    if (!narrow_product && !op.is(plan::op::shift_mix) && !op.is(plan::op::layer_norm)) return {};
    if (read.type == NumberType::int8 && (op.is(linear_squared_relu) || op.is(conv2d_relu))) {
      return {.type = NumberType::uint8, .step = read.step * most_int8 / most_uint8};
    }
    return read;
  }

  void copy(std::size_t i) {
    const Operation& op = from_.operations[i];
    const std::int64_t source = source_of(from_, op);
    std::vector<ValueId> inputs;
    for (std::size_t k = 0; k < op.inputs.size(); ++k) {
      const ValueId id = op.inputs[k];
      const bool wants = source == static_cast<std::int64_t>(k) &&
                         wanted_[i].type != NumberType::float32 &&
                         held_[at(id)].type == NumberType::float32;
      inputs.push_back(wants ? narrowed(op.stage, id, wanted_[i]) : ids_.at(id));
    }
    const std::vector<ValueId> made = add(op.stage, *op.type, std::move(inputs), op.detail);
    for (std::size_t k = 0; k < made.size(); ++k) {
      ids_[op.outputs[k]] = made[k];
      to_.values[at(made[k])].held = held_[at(op.outputs[k])];
    }
  }

  ValueId narrowed(std::size_t stage, ValueId id, const Held& how) {
    const auto known = narrowed_.find({id, how.step});
    if (known != narrowed_.end()) return known->second;
    const ValueId out = add(stage, narrow, {ids_.at(id)}).front();
    to_.values[at(out)].held = how;
    narrowed_[{id, how.step}] = out;
    return out;
  }

  static constexpr double most_int8 = 127;
  static constexpr double most_uint8 = 255;

  Precision precision_;
  const Ranges& ranges_;
  std::vector<Held> wanted_;                                ///< of each operation
  std::vector<Held> held_;                                  ///< values of from_
  std::map<std::pair<ValueId, double>, ValueId> narrowed_;  ///< by an operation, with their step
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
  switch (precision) {
    case Precision::float32: return "float32";
    case Precision::bfloat16: return "bfloat16";
    case Precision::int8: return "int8";
    case Precision::automatic: return "auto";
  }
  return "";
}

Precision precision_from(const std::string& name) {
  for (const Precision one :
       {Precision::float32, Precision::bfloat16, Precision::int8, Precision::automatic}) {
    if (name != to_string(one)) continue;
    if (one == Precision::bfloat16 && !onednn_has_bfloat16()) {
      throw_usage(
          "--precision bfloat16: this processor has neither avx512_bf16 nor amx_bf16; use float32, "
          "or auto, which takes what is there");
    }
    if (one == Precision::int8 && !onednn_has_int8()) {
      throw_usage(
          "--precision int8: this processor has neither avx512_vnni nor amx_int8; use float32, or "
          "auto, which takes what is there");
    }
    return one;
  }
  throw_usage(concat("--precision ", shown(name), ": unknown",
                     suggestion(name, {"float32", "bfloat16", "int8", "auto"})));
}

Precision resolved(Precision precision, bool has_ranges) {
  if (precision != Precision::automatic) return precision;
  // As fast as int8 where both are, and more exact.
  if (onednn_has_bfloat16()) return Precision::bfloat16;
  return has_ranges && onednn_has_int8() ? Precision::int8 : Precision::float32;
}

std::int64_t source_of(const Plan& fused, const Operation& op) {
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
  const Shape& weight = fused.shape(op.inputs[static_cast<std::size_t>(found->second) + 1]);
  const std::int64_t inner =
      op.is(plan::op::conv_transpose2d) ? weight[0] : element_count(weight) / weight[0];
  return inner < least_inner ? -1 : found->second;
}

std::string weight_of(const Plan& fused, const Operation& product) {
  ValueId id = product.inputs[static_cast<std::size_t>(source_of(fused, product)) + 1];
  while (!fused.is_parameter(id)) {
    const auto maker = std::find_if(
        fused.operations.begin(), fused.operations.end(),
        [&](const Operation& op) { return std::ranges::find(op.outputs, id) != op.outputs.end(); });
    id = maker->inputs.front();
  }
  return fused.parameters[*fused.value(id).parameter].name;
}

Plan in_precision(const Plan& fused, Precision precision, const Ranges& ranges) {
  if (precision == Precision::float32) return fused;
  return Narrowing(fused, precision, ranges).run();
}

}  // namespace medurwkv::native
