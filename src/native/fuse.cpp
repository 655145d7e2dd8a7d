#include "native/fuse.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "native/rewrite.h"
#include "plan/ops.h"

namespace medurwkv::native {
namespace {

namespace op = plan::op;
using plan::Array;
using plan::Detail;
using plan::Operation;
using plan::Plan;
using plan::Shapes;
using plan::ValueId;
using Arrays = std::vector<const Array*>;

// --- the fused operations in plain loops --------------------------------------------------------

/// Inputs from `first` on: x, weight, bias.
Arrays behind(const Arrays& in, std::ptrdiff_t first) {
  return {in.begin() + first, in.end()};
}

template <std::ptrdiff_t First>
Shapes linear_shapes(const Shapes& in, const Detail& detail) {
  return op::linear.shapes({in.begin() + First, in.end()}, detail);
}

template <std::ptrdiff_t First>
std::int64_t linear_cost(const Shapes& in, const Shapes& out) {
  return op::linear.multiply_adds({in.begin() + First, in.end()}, out);
}

void run_linear_sigmoid(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::linear.run(in, detail, out);
  op::sigmoid.run({&out[0]}, {}, out);
}

void run_linear_squared_relu(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::linear.run(in, detail, out);
  op::squared_relu.run({&out[0]}, {}, out);
}

void run_linear_gate(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::linear.run(behind(in, 1), detail, out);
  op::gate.run({&out[0], in[0]}, {}, out);
}

void run_gated_linear(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::linear.run(behind(in, 1), detail, out);
  op::multiply.run({&out[0], in[0]}, {}, out);
}

void run_linear_add(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::linear.run(behind(in, 1), detail, out);
  op::add.run({&out[0], in[0]}, {}, out);
}

void run_gated_linear_add(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  run_gated_linear(behind(in, 1), detail, out);
  op::add.run({&out[0], in[0]}, {}, out);
}

Shapes conv2d_shapes(const Shapes& in, const Detail& detail) {
  return op::conv2d.shapes(in, detail);
}

std::int64_t conv2d_cost(const Shapes& in, const Shapes& out) {
  return op::conv2d.multiply_adds(in, out);
}

void run_conv2d_relu(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::conv2d.run(in, detail, out);
  op::relu.run({&out[0]}, {}, out);
}

void run_conv2d_gelu(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  op::conv2d.run(in, detail, out);
  op::gelu.run({&out[0]}, {}, out);
}

Shapes as_first(const Shapes& in, const Detail& /*detail*/) {
  return {in[0]};
}

void run_scaled_rows(const Arrays& in, const Detail& /*detail*/, std::vector<Array>& out) {
  const std::size_t row = in[0]->values.size() / in[1]->values.size();
  for (std::size_t i = 0; i < in[0]->values.size(); ++i) {
    out[0].values[i] = in[0]->values[i] * in[1]->values[i / row];
  }
}

double factor_of(const Array& weight, const Array& variance, const Detail& detail, std::size_t c) {
  return weight.values[c] / std::sqrt(variance.values[c] + std::get<plan::Epsilon>(detail).value);
}

void run_norm_scale(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  for (std::size_t c = 0; c < in[0]->values.size(); ++c) {
    out[0].values[c] = factor_of(*in[0], *in[1], detail, c);
  }
}

void run_normed_bias(const Arrays& in, const Detail& detail, std::vector<Array>& out) {
  for (std::size_t c = 0; c < in[0]->values.size(); ++c) {
    const double bias = in.size() > 4 ? in[4]->values[c] : 0;
    out[0].values[c] =
        in[1]->values[c] + (bias - in[2]->values[c]) * factor_of(*in[0], *in[3], detail, c);
  }
}

// --- the plan with them --------------------------------------------------------------------------

class Fusing : Rewriting {
 public:
  explicit Fusing(const Plan& from) : Rewriting(from) {
    for (std::size_t i = 0; i < from.operations.size(); ++i) {
      for (const ValueId id : from.operations[i].outputs) maker_[id] = i;
      for (const ValueId id : from.operations[i].inputs) ++uses_[id];
    }
    for (const ValueId id : from.outputs) ++uses_[id];
  }

  Plan run() {
    // From the end, so that the longest chain takes its members first.
    for (std::size_t i = from_.operations.size(); i-- > 0;) match(i);
    for (std::size_t i = 0; i < from_.operations.size(); ++i) {
      if (!absorbed_.contains(i)) emit(i);
    }
    for (const ValueId id : from_.outputs) to_.outputs.push_back(ids_.at(id));
    return std::move(to_);
  }

 private:
  /// What takes the place of an operation.
  struct Fused {
    const plan::OpType* type = nullptr;
    std::vector<ValueId> front;              ///< before x, weight and bias
    std::size_t product = 0;                 ///< the operation whose x, weight and bias they are
    std::optional<ValueId> scale = {};       ///< of the rows of weight and bias
    std::optional<std::size_t> normed = {};  ///< the batch normalisation that is taken in
  };

  /// The operation of `type` that makes `id`, where nothing else reads it and it is free.
  std::optional<std::size_t> sole(ValueId id, const plan::OpType& type) const {
    const auto maker = maker_.find(id);
    if (maker == maker_.end() || uses_.at(id) != 1) return std::nullopt;
    const std::size_t index = maker->second;
    if (!from_.operations[index].is(type) || absorbed_.contains(index) || fused_.contains(index)) {
      return std::nullopt;
    }
    return index;
  }

  void take(std::size_t at, Fused fused) {
    absorbed_.insert(fused.product);
    fused_.emplace(at, std::move(fused));
  }

  void match(std::size_t i) {
    if (absorbed_.contains(i)) return;
    const Operation& op = from_.operations[i];
    if (op.is(op::norm_relu) || op.is(op::batch_norm)) {
      if (const auto conv = sole(op.inputs[0], op::conv2d)) {
        take(i, {.type = op.is(op::norm_relu) ? &conv2d_relu : &op::conv2d,
                 .front = {},
                 .product = *conv,
                 .normed = i});
      }
    } else if (op.is(op::gelu)) {
      match_gelu(i);
    } else if (op.is(op::squared_relu)) {
      if (const auto linear = sole(op.inputs[0], op::linear)) {
        take(i, {.type = &linear_squared_relu, .front = {}, .product = *linear});
      }
    } else if (op.is(op::scale_add)) {
      match_residual(i, op.inputs[0], op.inputs[2], op.inputs[1]);
    } else if (op.is(op::add) && from_.shape(op.inputs[0]) == from_.shape(op.inputs[1])) {
      match_residual(i, op.inputs[0], op.inputs[1], std::nullopt);
    } else if (op.is(op::gate)) {
      match_gate(i);
    }
  }

  /// base + scale branch.
  void match_residual(std::size_t i, ValueId base, ValueId branch, std::optional<ValueId> scale) {
    if (const auto linear = sole(branch, op::linear)) {
      take(i, {.type = &linear_add, .front = {base}, .product = *linear, .scale = scale});
      return;
    }
    const auto gate = sole(branch, op::gate);
    if (!gate) return;
    const std::vector<ValueId>& gated = from_.operations[*gate].inputs;
    const auto receptance = sole(gated[0], op::linear);
    const auto value = sole(gated[1], op::linear);
    if (!receptance || !value) return;
    absorbed_.insert(*gate);
    // The receptance stays where it is, with its sigmoid.
    fused_.emplace(*receptance,
                   Fused{.type = &linear_sigmoid, .front = {}, .product = *receptance});
    take(i,
         {.type = &gated_linear_add, .front = {base, gated[0]}, .product = *value, .scale = scale});
  }

  void match_gate(std::size_t i) {
    const std::vector<ValueId>& in = from_.operations[i].inputs;
    const auto receptance = sole(in[0], op::linear);
    if (!receptance) return;
    if (const auto value = sole(in[1], op::linear)) {
      fused_.emplace(*receptance,
                     Fused{.type = &linear_sigmoid, .front = {}, .product = *receptance});
      take(i, {.type = &gated_linear, .front = {in[0]}, .product = *value});
      return;
    }
    take(i, {.type = &linear_gate, .front = {in[1]}, .product = *receptance});
  }

  /// A GELU of joined maps as tokens is one of each of the convolutions that made them.
  void match_gelu(std::size_t i) {
    const auto joined = sole(from_.operations[i].inputs[0], op::concat);
    if (!joined) return;
    std::vector<std::size_t> makers;
    for (const ValueId part : from_.operations[*joined].inputs) {
      const auto tokens = sole(part, op::to_tokens);
      const auto conv =
          tokens ? sole(from_.operations[*tokens].inputs[0], op::conv2d) : std::nullopt;
      if (!conv) return;
      makers.push_back(*conv);
    }
    for (const std::size_t conv : makers) {
      fused_.emplace(conv, Fused{.type = &conv2d_gelu, .front = {}, .product = conv});
    }
    absorbed_.insert(i);
    same_as_[from_.operations[i].output()] = from_.operations[*joined].output();
  }

  ValueId id_of(ValueId id) const {
    const auto same = same_as_.find(id);
    return ids_.at(same == same_as_.end() ? id : same->second);
  }

  void emit(std::size_t i) {
    const Operation& op = from_.operations[i];
    const auto found = fused_.find(i);
    std::vector<ValueId> inputs;
    if (found == fused_.end()) {
      for (const ValueId id : op.inputs) inputs.push_back(id_of(id));
      const std::vector<ValueId> made = add(op.stage, *op.type, std::move(inputs), op.detail);
      for (std::size_t k = 0; k < made.size(); ++k) ids_[op.outputs[k]] = made[k];
      return;
    }
    const Fused& fused = found->second;
    const Operation& product = from_.operations[fused.product];
    for (const ValueId id : fused.front) inputs.push_back(id_of(id));
    inputs.push_back(id_of(product.inputs[0]));
    for (std::size_t k = 1; k < product.inputs.size(); ++k) {
      const ValueId plain = id_of(product.inputs[k]);
      inputs.push_back(
          fused.scale ? add(op.stage, scaled_rows, {plain, id_of(*fused.scale)}).front() : plain);
    }
    if (fused.normed) {
      const Operation& norm = from_.operations[*fused.normed];
      const auto of_norm = [&](std::size_t k) { return id_of(norm.inputs[k]); };
      std::vector<ValueId> for_bias{of_norm(1), of_norm(2), of_norm(3), of_norm(4)};
      if (inputs.size() > 2) {
        for_bias.push_back(inputs[2]);
        inputs.pop_back();
      }
      const ValueId scale =
          add(op.stage, norm_scale, {of_norm(1), of_norm(4)}, norm.detail).front();
      inputs[1] = add(op.stage, scaled_rows, {inputs[1], scale}).front();
      inputs.push_back(add(op.stage, normed_bias, std::move(for_bias), norm.detail).front());
    }
    ids_[op.output()] = add(op.stage, *fused.type, std::move(inputs), product.detail).front();
  }

  std::map<ValueId, std::size_t> maker_;
  std::map<ValueId, int> uses_;
  std::map<std::size_t, Fused> fused_;
  std::set<std::size_t> absorbed_;      ///< operations that are part of another
  std::map<ValueId, ValueId> same_as_;  ///< a value that another one has become
};

}  // namespace

const plan::OpType linear_sigmoid{.name = "linear_sigmoid",
                                  .shapes = linear_shapes<0>,
                                  .run = run_linear_sigmoid,
                                  .multiply_adds = linear_cost<0>};
const plan::OpType linear_squared_relu{.name = "linear_squared_relu",
                                       .shapes = linear_shapes<0>,
                                       .run = run_linear_squared_relu,
                                       .multiply_adds = linear_cost<0>};
const plan::OpType linear_gate{.name = "linear_gate",
                               .shapes = linear_shapes<1>,
                               .run = run_linear_gate,
                               .multiply_adds = linear_cost<1>};
const plan::OpType gated_linear{.name = "gated_linear",
                                .shapes = linear_shapes<1>,
                                .run = run_gated_linear,
                                .multiply_adds = linear_cost<1>};
const plan::OpType linear_add{.name = "linear_add",
                              .shapes = linear_shapes<1>,
                              .run = run_linear_add,
                              .multiply_adds = linear_cost<1>};
const plan::OpType gated_linear_add{.name = "gated_linear_add",
                                    .shapes = linear_shapes<2>,
                                    .run = run_gated_linear_add,
                                    .multiply_adds = linear_cost<2>};
const plan::OpType conv2d_relu{.name = "conv2d_relu",
                               .shapes = conv2d_shapes,
                               .run = run_conv2d_relu,
                               .multiply_adds = conv2d_cost};
const plan::OpType conv2d_gelu{.name = "conv2d_gelu",
                               .shapes = conv2d_shapes,
                               .run = run_conv2d_gelu,
                               .multiply_adds = conv2d_cost};
const plan::OpType scaled_rows{.name = "scaled_rows", .shapes = as_first, .run = run_scaled_rows};
const plan::OpType norm_scale{.name = "norm_scale", .shapes = as_first, .run = run_norm_scale};
const plan::OpType normed_bias{.name = "normed_bias", .shapes = as_first, .run = run_normed_bias};

Plan fuse(const Plan& lowered) {
  return Fusing(lowered).run();
}

}  // namespace medurwkv::native
