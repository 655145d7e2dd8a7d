#include "plan/record_ops.h"

#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "net/med_urwkv.h"

namespace medurwkv::plan {

using net::Grid;

static_assert(net::Ops<RecordOps>);

RecordOps::Tensor RecordOps::input(Shape shape) {
  plan_.values.push_back({.shape = std::move(shape), .parameter = {}});
  return static_cast<Tensor>(plan_.values.size()) - 1;
}

void RecordOps::begin_stage(const std::string& name) {
  plan_.stages.push_back(name);
}

RecordOps::Tensor RecordOps::param(const net::ParameterSpec& spec) {
  const auto known = by_name_.find(spec.name);
  if (known != by_name_.end()) {
    // The three grids of a ConvFFN share one depthwise convolution.
    if (shape(known->second) != spec.shape) {
      throw_internal(medurwkv::concat("parameter ", spec.name, " is asked for with two shapes"));
    }
    return known->second;
  }
  const Tensor id = input(spec.shape);
  plan_.values.back().parameter = plan_.parameters.size();
  plan_.parameters.push_back(spec);
  by_name_.emplace(spec.name, id);
  return id;
}

Shape RecordOps::shape(Tensor x) const {
  return plan_.values[static_cast<std::size_t>(x)].shape;
}

RecordOps::Tensor RecordOps::emit(OpKind kind, std::vector<Tensor> inputs, Shape shape,
                                  Detail detail, std::int64_t multiply_adds) {
  const Tensor output = input(std::move(shape));
  if (plan_.stages.empty()) plan_.stages.emplace_back("network");
  plan_.operations.push_back({.kind = kind,
                              .stage = plan_.stages.size() - 1,
                              .inputs = std::move(inputs),
                              .output = output,
                              .detail = std::move(detail),
                              .multiply_adds = multiply_adds});
  return output;
}

RecordOps::Tensor RecordOps::same(OpKind kind, std::vector<Tensor> inputs, Detail detail) {
  Shape result = shape(inputs.front());
  return emit(kind, std::move(inputs), std::move(result), std::move(detail));
}

namespace {

std::vector<ValueId> with_bias(ValueId x, ValueId weight, const std::optional<ValueId>& bias) {
  std::vector<ValueId> inputs{x, weight};
  if (bias) inputs.push_back(*bias);
  return inputs;
}

}  // namespace

RecordOps::Tensor RecordOps::linear(Tensor x, Tensor weight, const std::optional<Tensor>& bias) {
  const Shape weights = shape(weight);
  Shape result = shape(x);
  if (result.back() != weights[1]) {
    throw_internal(
        medurwkv::concat("linear map of ", shape_text(weights), " on ", shape_text(result)));
  }
  result.back() = weights[0];
  const std::int64_t cost = element_count(result) * weights[1];
  return emit(OpKind::linear, with_bias(x, weight, bias), std::move(result), {}, cost);
}

RecordOps::Tensor RecordOps::conv2d(Tensor x, Tensor weight, const std::optional<Tensor>& bias,
                                    const net::Convolution& how) {
  const Shape in = shape(x);
  const Shape weights = shape(weight);
  if (in[1] != weights[1] * how.groups) {
    throw_internal(
        medurwkv::concat("convolution of ", shape_text(weights), " on ", shape_text(in)));
  }
  const auto side = [&](std::int64_t length, std::int64_t kernel) {
    return (length + 2 * how.padding - kernel) / how.stride + 1;
  };
  Shape result{in[0], weights[0], side(in[2], weights[2]), side(in[3], weights[3])};
  const std::int64_t cost = element_count(result) * weights[1] * weights[2] * weights[3];
  return emit(OpKind::conv2d, with_bias(x, weight, bias), std::move(result), how, cost);
}

RecordOps::Tensor RecordOps::conv_transpose2d(Tensor x, Tensor weight,
                                              const std::optional<Tensor>& bias,
                                              std::int64_t stride) {
  const Shape in = shape(x);
  const Shape weights = shape(weight);
  Shape result{in[0], weights[1], in[2] * stride, in[3] * stride};
  const std::int64_t cost = element_count(result) * weights[0];
  return emit(OpKind::conv_transpose2d, with_bias(x, weight, bias), std::move(result),
              Stride{stride}, cost);
}

RecordOps::Tensor RecordOps::batch_norm(Tensor x, const net::BatchNorm<Tensor>& norm) {
  return same(OpKind::batch_norm, {x, norm.weight, norm.bias, norm.running_mean, norm.running_var},
              Epsilon{1e-5});
}

RecordOps::Tensor RecordOps::layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon) {
  return same(OpKind::layer_norm, {x, weight, bias}, Epsilon{epsilon});
}

RecordOps::Tensor RecordOps::relu(Tensor x) {
  return same(OpKind::relu, {x});
}
RecordOps::Tensor RecordOps::gelu(Tensor x) {
  return same(OpKind::gelu, {x});
}
RecordOps::Tensor RecordOps::sigmoid(Tensor x) {
  return same(OpKind::sigmoid, {x});
}
RecordOps::Tensor RecordOps::tanh(Tensor x) {
  return same(OpKind::tanh, {x});
}
RecordOps::Tensor RecordOps::squared_relu(Tensor x) {
  return same(OpKind::squared_relu, {x});
}
RecordOps::Tensor RecordOps::add(Tensor a, Tensor b) {
  return same(OpKind::add, {a, b});
}
RecordOps::Tensor RecordOps::subtract(Tensor a, Tensor b) {
  return same(OpKind::subtract, {a, b});
}
RecordOps::Tensor RecordOps::multiply(Tensor a, Tensor b) {
  return same(OpKind::multiply, {a, b});
}

RecordOps::Tensor RecordOps::scale_add(Tensor x, Tensor scale, Tensor branch) {
  return same(OpKind::scale_add, {x, scale, branch});
}

RecordOps::Tensor RecordOps::gate(Tensor receptance, Tensor y) {
  return same(OpKind::gate, {receptance, y});
}

RecordOps::Tensor RecordOps::shift(Tensor x, Grid grid) {
  return same(OpKind::shift, {x}, grid);
}

std::vector<RecordOps::Tensor> RecordOps::shift_mix(Tensor x, const std::vector<Tensor>& mixes,
                                                    Grid grid) {
  std::vector<Tensor> out;
  for (const Tensor mix : mixes) out.push_back(same(OpKind::shift_mix, {x, mix}, grid));
  return out;
}

RecordOps::Tensor RecordOps::bi_wkv(Tensor decay, Tensor first, Tensor key, Tensor value,
                                    net::WkvMode mode) {
  const Tensor output = same(OpKind::bi_wkv, {key, value, decay, first}, mode);
  return output;
}

RecordOps::Tensor RecordOps::deform_attn(Tensor values, Tensor offsets, Tensor weights,
                                         const net::DeformableAttention& where) {
  const Shape feature = shape(values);
  const Shape query = shape(weights);
  Shape result{query[0], query[1], feature[2]};
  return emit(OpKind::deform_attn, {values, offsets, weights}, std::move(result), where);
}

RecordOps::Tensor RecordOps::max_pool(Tensor x, std::int64_t kernel, std::int64_t stride,
                                      std::int64_t padding) {
  const Shape in = shape(x);
  const auto side = [&](std::int64_t length) {
    return (length + 2 * padding - kernel) / stride + 1;
  };
  return emit(OpKind::max_pool, {x}, {in[0], in[1], side(in[2]), side(in[3])},
              Pool{kernel, stride, padding});
}

RecordOps::Tensor RecordOps::concat(const std::vector<Tensor>& parts) {
  Shape result = shape(parts.front());
  result[1] = 0;
  for (const Tensor part : parts) result[1] += shape(part)[1];
  return emit(OpKind::concat, parts, std::move(result));
}

RecordOps::Tensor RecordOps::slice(Tensor x, std::int64_t start, std::int64_t count) {
  Shape result = shape(x);
  result[1] = count;
  return emit(OpKind::slice, {x}, std::move(result), Range{start, count});
}

RecordOps::Tensor RecordOps::row(Tensor x, std::int64_t index) {
  return emit(OpKind::row, {x}, {shape(x)[1]}, Range{index, 1});
}

RecordOps::Tensor RecordOps::resize(Tensor x, Grid to, net::Interpolation how) {
  const Shape in = shape(x);
  return emit(OpKind::resize, {x}, {in[0], in[1], to.height, to.width}, Resize{to, how});
}

RecordOps::Tensor RecordOps::expand(Tensor x, Grid grid, std::int64_t factor) {
  const Shape in = shape(x);
  const std::int64_t area = factor * factor;
  return emit(OpKind::expand, {x}, {in[0], in[1] * area, in[2] / area}, Expand{grid, factor});
}

RecordOps::Tensor RecordOps::to_tokens(Tensor x) {
  const Shape in = shape(x);
  return emit(OpKind::to_tokens, {x}, {in[0], in[2] * in[3], in[1]});
}

RecordOps::Tensor RecordOps::to_map(Tensor x, Grid grid) {
  const Shape in = shape(x);
  if (in[1] != grid.tokens()) throw_internal("tokens do not fill their grid");
  return emit(OpKind::to_map, {x}, {in[0], in[2], grid.height, grid.width}, grid);
}

RecordOps::Tensor RecordOps::mean_tokens(Tensor x) {
  const Shape in = shape(x);
  return emit(OpKind::mean_tokens, {x}, {in[0], in[2]});
}

RecordOps::Tensor RecordOps::pad_edge(Tensor x, Grid to) {
  const Shape in = shape(x);
  return emit(OpKind::pad_edge, {x}, {in[0], in[1], to.height, to.width}, to);
}

RecordOps::Tensor RecordOps::crop(Tensor x, Grid to) {
  const Shape in = shape(x);
  return emit(OpKind::crop, {x}, {in[0], in[1], to.height, to.width}, to);
}

Plan record(const net::NetworkConfig& config, std::int64_t batch, std::int64_t height,
            std::int64_t width) {
  Plan plan;
  RecordOps ops(plan);
  plan.input = ops.input({batch, config.channels, height, width});
  const auto out = net::network(ops, config, plan.input);
  if (config.architecture == net::Architecture::encoder) {
    plan.outputs = out.features;
  } else {
    plan.outputs = {out.logits};
  }
  return plan;
}

std::vector<net::ParameterSpec> parameters_of(const net::NetworkConfig& config) {
  return record(config, 1, 32, 32).parameters;
}

}  // namespace medurwkv::plan
