#include "onnx/translate.h"

#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "onnx/attention.h"
#include "plan/ops.h"

namespace medurwkv::onnx {
namespace {

namespace op = plan::op;
using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t to_the_end = std::numeric_limits<std::int64_t>::max();

/// An operation with what its nodes are made of.
struct Step {
  const plan::Plan& plan;
  const plan::Operation& operation;
  const std::vector<Name>& names;  ///< of the plan's values
  const Sides& sides;
  Graph& graph;
  const ParameterValues& parameters;

  [[nodiscard]] bool has(std::size_t input) const { return input < operation.inputs.size(); }
  [[nodiscard]] const Shape& shape(std::size_t input) const {
    return plan.shape(operation.inputs.at(input));
  }
  [[nodiscard]] const Shape& output_shape() const { return plan.shape(operation.output()); }
  [[nodiscard]] const Name& in(std::size_t input) const {
    return names.at(static_cast<std::size_t>(operation.inputs.at(input)));
  }
  template <class Detail>
  [[nodiscard]] const Detail& detail() const {
    return std::get<Detail>(operation.detail);
  }
  Name node(const char* type, const std::vector<Name>& inputs,
            const std::vector<Attribute>& attributes = {}) const {
    return graph.node(type, inputs, attributes);
  }
  [[nodiscard]] Name reshape(const Name& x, const Numbers& shape) const {
    return node("Reshape", {x, graph.whole_numbers(shape)});
  }
  [[nodiscard]] Name turn(const Name& x, const Numbers& order) const {
    return node("Transpose", {x}, {{"perm", order}});
  }
};

using Translation = std::vector<Name> (*)(const Step& step);

Name activation(const Step& step, const char* type) {
  return step.node(type, {step.in(0)});
}

std::vector<Name> linear(const Step& step) {
  const plan::Value& weight = step.plan.value(step.operation.inputs.at(1));
  const std::string& name = step.plan.parameters.at(weight.parameter.value()).name;
  const Name turned = step.graph.parameter(name, weight.shape, step.parameters(name), true);
  const Name product = step.node("MatMul", {step.in(0), turned});
  return {step.has(2) ? step.node("Add", {product, step.in(2)}) : product};
}

std::vector<Name> inputs_of(const Step& step) {
  std::vector<Name> out;
  for (std::size_t i = 0; i < step.operation.inputs.size(); ++i) out.push_back(step.in(i));
  return out;
}

std::vector<Name> conv2d(const Step& step) {
  const auto& how = step.detail<net::Convolution>();
  return {step.node("Conv", inputs_of(step),
                    {{"strides", Numbers(2, how.stride)},
                     {"pads", Numbers(4, how.padding)},
                     {"group", how.groups}})};
}

std::vector<Name> conv_transpose2d(const Step& step) {
  return {step.node("ConvTranspose", inputs_of(step),
                    {{"strides", Numbers(2, step.detail<plan::Stride>().value)}})};
}

Name normalised(const Step& step, const Name& x, double epsilon) {
  return step.node("LayerNormalization", {x, step.in(1), step.in(2)},
                   {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(epsilon)}});
}

std::vector<Name> layer_norm(const Step& step) {
  return {normalised(step, step.in(0), step.detail<plan::Epsilon>().value)};
}

Name expanded(const Step& step) {
  const auto& how = step.detail<plan::Expand>();
  const std::int64_t channels = step.output_shape().at(2);
  const Sides& sides = step.sides;
  const Name parts = step.node(
      "Reshape", {step.in(0), sides.shape({sides.fixed(0), sides.height(how.from),
                                           sides.width(how.from), sides.fixed(how.factor),
                                           sides.fixed(how.factor), sides.fixed(channels)})});
  return step.reshape(step.turn(parts, {0, 1, 3, 2, 4, 5}), {0, -1, channels});
}

std::vector<Name> expand(const Step& step) {
  return {expanded(step)};
}

std::vector<Name> expand_norm(const Step& step) {
  return {normalised(step, expanded(step), step.detail<plan::Expand>().epsilon)};
}

std::vector<Name> batch_norm(const Step& step) {
  return {step.node("BatchNormalization", inputs_of(step),
                    {{"epsilon", static_cast<float>(step.detail<plan::Epsilon>().value)}})};
}

std::vector<Name> norm_relu(const Step& step) {
  return {step.node("Relu", batch_norm(step))};
}

std::vector<Name> relu(const Step& step) {
  return {activation(step, "Relu")};
}
std::vector<Name> sigmoid(const Step& step) {
  return {activation(step, "Sigmoid")};
}
std::vector<Name> tanh(const Step& step) {
  return {activation(step, "Tanh")};
}

/// x / 2 (1 + erf(x / sqrt 2)): opset 17 has no Gelu.
std::vector<Name> gelu(const Step& step) {
  const Name scaled = step.node("Div", {step.in(0), step.node("Sqrt", {step.graph.number(2)})});
  const Name share = step.node("Add", {step.node("Erf", {scaled}), step.graph.number(1)});
  const Name half = step.node("Mul", {step.in(0), step.graph.number(0.5F)});
  return {step.node("Mul", {half, share})};
}

std::vector<Name> squared_relu(const Step& step) {
  const Name positive = activation(step, "Relu");
  return {step.node("Mul", {positive, positive})};
}

std::vector<Name> add(const Step& step) {
  return {step.node("Add", inputs_of(step))};
}
std::vector<Name> subtract(const Step& step) {
  return {step.node("Sub", inputs_of(step))};
}
std::vector<Name> multiply(const Step& step) {
  return {step.node("Mul", inputs_of(step))};
}

std::vector<Name> scale_add(const Step& step) {
  return {step.node("Add", {step.in(0), step.node("Mul", {step.in(2), step.in(1)})})};
}

std::vector<Name> gate(const Step& step) {
  return {step.node("Mul", {activation(step, "Sigmoid"), step.in(1)})};
}

/// The map with a border of zeros, of which each quarter of the channels takes its part.
Name shifted(const Step& step) {
  const auto& grid = step.detail<net::Grid>();
  const std::int64_t channels = step.shape(0).at(2);
  const Sides& sides = step.sides;
  const Name map =
      step.node("Reshape", {step.in(0), sides.shape({sides.fixed(0), sides.height(grid),
                                                     sides.width(grid), sides.fixed(channels)})});
  const Name wide = step.node("Pad", {map, step.graph.whole_numbers({0, 1, 1, 0, 0, 1, 1, 0})});
  struct Part {
    std::int64_t row, column;  ///< where it begins in `wide`
  };
  constexpr std::array<Part, 4> parts{{{1, 0}, {1, 2}, {0, 1}, {2, 1}}};
  std::vector<Name> quarters;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto quarter = static_cast<std::int64_t>(i);
    const std::int64_t from = quarter * channels / 4;
    const std::int64_t to = (quarter + 1) * channels / 4;
    if (from == to) continue;
    const auto end = [](std::int64_t begin) { return begin == 2 ? to_the_end : begin - 2; };
    quarters.push_back(
        step.node("Slice", {wide, step.graph.whole_numbers({parts[i].row, parts[i].column, from}),
                            step.graph.whole_numbers({end(parts[i].row), end(parts[i].column), to}),
                            step.graph.whole_numbers({1, 2, 3})}));
  }
  const Name joined = step.node("Concat", quarters, {{"axis", std::int64_t{3}}});
  return step.reshape(joined, {0, -1, channels});
}

std::vector<Name> shift(const Step& step) {
  return {shifted(step)};
}

std::vector<Name> shift_mix(const Step& step) {
  const Name neighbours = shifted(step);
  const Name difference = step.node("Sub", {step.in(0), neighbours});
  std::vector<Name> out;
  for (std::size_t i = 1; step.has(i); ++i) {
    out.push_back(step.node("Add", {neighbours, step.node("Mul", {difference, step.in(i)})}));
  }
  return out;
}

std::vector<Name> wkv(const Step& step) {
  return {bi_wkv(step.graph, step.sides, step.detail<net::WkvMode>(),
                 {.key = step.in(0),
                  .value = step.in(1),
                  .decay = step.in(2),
                  .first = step.in(3),
                  .tokens = step.shape(0).at(1)})};
}

std::vector<Name> deform(const Step& step) {
  return {deform_attn(step.graph, step.sides, step.detail<net::DeformableAttention>(),
                      {.values = step.in(0),
                       .offsets = step.in(1),
                       .weights = step.in(2),
                       .width = step.shape(0).at(2)})};
}

std::vector<Name> mean_tokens(const Step& step) {
  return {
      step.node("ReduceMean", {step.in(0)}, {{"axes", Numbers{1}}, {"keepdims", std::int64_t{0}}})};
}

std::vector<Name> to_tokens(const Step& step) {
  return {step.turn(step.reshape(step.in(0), {0, 0, -1}), {0, 2, 1})};
}

std::vector<Name> to_map(const Step& step) {
  const auto& grid = step.detail<net::Grid>();
  const Sides& sides = step.sides;
  return {step.node("Reshape", {step.turn(step.in(0), {0, 2, 1}),
                                sides.shape({sides.fixed(0), sides.fixed(0), sides.height(grid),
                                             sides.width(grid)})})};
}

std::vector<Name> row(const Step& step) {
  return {
      step.node("Gather", {step.in(0), step.graph.whole_number(step.detail<plan::Range>().start)})};
}

std::vector<Name> slice(const Step& step) {
  const auto& range = step.detail<plan::Range>();
  return {step.node("Slice", {step.in(0), step.sides.of(range.start, Along::tokens),
                              step.sides.of(range.start + range.count, Along::tokens),
                              step.graph.whole_numbers({1})})};
}

std::vector<Name> join_parts(const Step& step) {
  return {step.node("Concat", inputs_of(step), {{"axis", std::int64_t{1}}})};
}

/// a = -0.75 and pixels' centres, as LibTorch has them.
std::vector<Name> resize(const Step& step) {
  const auto& how = step.detail<plan::Resize>();
  const bool cubic = how.how == net::Interpolation::bicubic;
  const Name batch =
      step.node("Slice", {step.node("Shape", {step.in(0)}), step.graph.whole_numbers({0}),
                          step.graph.whole_numbers({2})});
  const Name sizes =
      step.sides.joined({batch, step.sides.height(how.to), step.sides.width(how.to)});
  return {step.node("Resize", {step.in(0), "", "", sizes},
                    {{"mode", std::string(cubic ? "cubic" : "linear")},
                     {"cubic_coeff_a", -0.75F},
                     {"coordinate_transformation_mode", std::string("half_pixel")}})};
}

std::vector<Name> max_pool(const Step& step) {
  const auto& pool = step.detail<plan::Pool>();
  return {step.node("MaxPool", {step.in(0)},
                    {{"kernel_shape", Numbers(2, pool.kernel)},
                     {"strides", Numbers(2, pool.stride)},
                     {"pads", Numbers(4, pool.padding)}})};
}

/// All but pad_edge and crop, which stand at the ends of a network (onnx/export.cpp).
const std::map<const plan::OpType*, Translation>& translations() {
  static const std::map<const plan::OpType*, Translation> table{
      {&op::linear, linear},
      {&op::conv2d, conv2d},
      {&op::conv_transpose2d, conv_transpose2d},
      {&op::layer_norm, layer_norm},
      {&op::expand_norm, expand_norm},
      {&op::batch_norm, batch_norm},
      {&op::norm_relu, norm_relu},
      {&op::relu, relu},
      {&op::gelu, gelu},
      {&op::sigmoid, sigmoid},
      {&op::tanh, tanh},
      {&op::squared_relu, squared_relu},
      {&op::add, add},
      {&op::subtract, subtract},
      {&op::multiply, multiply},
      {&op::scale_add, scale_add},
      {&op::gate, gate},
      {&op::shift, shift},
      {&op::shift_mix, shift_mix},
      {&op::bi_wkv, wkv},
      {&op::deform_attn, deform},
      {&op::mean_tokens, mean_tokens},
      {&op::expand, expand},
      {&op::to_tokens, to_tokens},
      {&op::to_map, to_map},
      {&op::row, row},
      {&op::slice, slice},
      {&op::concat, join_parts},
      {&op::resize, resize},
      {&op::max_pool, max_pool},
  };
  return table;
}

}  // namespace

std::vector<Name> translate(const plan::Plan& plan, const ParameterValues& parameters,
                            const Name& image, const Sides& sides, Graph& graph) {
  std::vector<Name> names(plan.values.size());
  names.at(static_cast<std::size_t>(plan.input)) = image;
  for (const plan::Operation& operation : plan.operations) {
    const auto found = translations().find(operation.type);
    if (found == translations().end()) {
      throw_internal(concat("ONNX: no translation of ", operation.type->name));
    }
    graph.begin_stage(plan.stages.at(operation.stage));
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
      // The weight of a linear map is stored transposed.
      if (operation.is(op::linear) && i == 1) continue;
      const plan::ValueId id = operation.inputs[i];
      Name& name = names.at(static_cast<std::size_t>(id));
      if (!name.empty() || !plan.is_parameter(id)) continue;
      const std::string& own = plan.parameters.at(*plan.value(id).parameter).name;
      name = graph.parameter(own, plan.shape(id), parameters(own));
    }
    const std::vector<Name> out = found->second({plan, operation, names, sides, graph, parameters});
    for (std::size_t i = 0; i < out.size(); ++i) {
      names.at(static_cast<std::size_t>(operation.outputs.at(i))) = out[i];
    }
  }
  std::vector<Name> out;
  for (const plan::ValueId id : plan.outputs) out.push_back(names.at(static_cast<std::size_t>(id)));
  return out;
}

bool translates(const plan::OpType& type) {
  return translations().contains(&type);
}

}  // namespace medurwkv::onnx
