// The interpreter that writes a plan instead of computing. Relies on plan/ops.h and plan/plan.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/ops.h"
#include "plan/plan.h"

namespace medurwkv::plan {

class RecordOps {
 public:
  using Tensor = ValueId;

  explicit RecordOps(Plan& plan) : plan_(plan) {}

  void begin_stage(const std::string& name) { plan_.stages.push_back(name); }
  Tensor param(const net::ParameterSpec& spec);
  [[nodiscard]] Shape shape(Tensor x) const { return plan_.shape(x); }

  Tensor linear(Tensor x, Tensor weight, const std::optional<Tensor>& bias) {
    return one(op::linear, with_bias(x, weight, bias));
  }
  Tensor conv2d(Tensor x, Tensor weight, const std::optional<Tensor>& bias,
                const net::Convolution& how) {
    return one(op::conv2d, with_bias(x, weight, bias), how);
  }
  Tensor conv_transpose2d(Tensor x, Tensor weight, const std::optional<Tensor>& bias,
                          std::int64_t stride) {
    return one(op::conv_transpose2d, with_bias(x, weight, bias), Stride{stride});
  }
  Tensor batch_norm(Tensor x, const net::BatchNorm<Tensor>& norm) {
    return one(op::batch_norm, of_norm(x, norm), Epsilon{batch_norm_epsilon});
  }
  Tensor norm_relu(Tensor x, const net::BatchNorm<Tensor>& norm) {
    return one(op::norm_relu, of_norm(x, norm), Epsilon{batch_norm_epsilon});
  }
  Tensor layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon) {
    return one(op::layer_norm, {x, weight, bias}, Epsilon{epsilon});
  }
  Tensor expand_norm(Tensor x, net::Grid grid, std::int64_t factor, Tensor weight, Tensor bias,
                     double epsilon) {
    return one(op::expand_norm, {x, weight, bias}, Expand{grid, factor, epsilon});
  }
  Tensor relu(Tensor x) { return one(op::relu, {x}); }
  Tensor gelu(Tensor x) { return one(op::gelu, {x}); }
  Tensor sigmoid(Tensor x) { return one(op::sigmoid, {x}); }
  Tensor tanh(Tensor x) { return one(op::tanh, {x}); }
  Tensor squared_relu(Tensor x) { return one(op::squared_relu, {x}); }
  Tensor add(Tensor a, Tensor b) { return one(op::add, {a, b}); }
  Tensor subtract(Tensor a, Tensor b) { return one(op::subtract, {a, b}); }
  Tensor multiply(Tensor a, Tensor b) { return one(op::multiply, {a, b}); }
  Tensor scale_add(Tensor x, Tensor scale, Tensor branch) {
    return one(op::scale_add, {x, scale, branch});
  }
  Tensor gate(Tensor receptance, Tensor y) { return one(op::gate, {receptance, y}); }
  Tensor shift(Tensor x, net::Grid grid) { return one(op::shift, {x}, grid); }
  std::vector<Tensor> shift_mix(Tensor x, std::vector<Tensor> mixes, net::Grid grid) {
    mixes.insert(mixes.begin(), x);
    return plan_.add(op::shift_mix, std::move(mixes), grid);
  }
  Tensor bi_wkv(Tensor decay, Tensor first, Tensor key, Tensor value, net::WkvMode mode) {
    return one(op::bi_wkv, {key, value, decay, first}, mode);
  }
  Tensor deform_attn(Tensor values, Tensor offsets, Tensor weights,
                     const net::DeformableAttention& where) {
    return one(op::deform_attn, {values, offsets, weights}, where);
  }
  Tensor max_pool(Tensor x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
    return one(op::max_pool, {x}, Pool{kernel, stride, padding});
  }
  Tensor concat(const std::vector<Tensor>& parts) { return one(op::concat, parts); }
  Tensor slice(Tensor x, std::int64_t start, std::int64_t count) {
    return one(op::slice, {x}, Range{start, count});
  }
  Tensor row(Tensor x, std::int64_t index) { return one(op::row, {x}, Range{index, 1}); }
  Tensor resize(Tensor x, net::Grid to, net::Interpolation how) {
    return one(op::resize, {x}, Resize{to, how});
  }
  Tensor expand(Tensor x, net::Grid grid, std::int64_t factor) {
    return one(op::expand, {x}, Expand{grid, factor});
  }
  Tensor to_tokens(Tensor x) { return one(op::to_tokens, {x}); }
  Tensor to_map(Tensor x, net::Grid grid) { return one(op::to_map, {x}, grid); }
  Tensor mean_tokens(Tensor x) { return one(op::mean_tokens, {x}); }
  Tensor pad_edge(Tensor x, net::Grid to) { return one(op::pad_edge, {x}, to); }
  Tensor crop(Tensor x, net::Grid to) { return one(op::crop, {x}, to); }
  /// A plan is of inference, which drops nothing.
  static Tensor drop_path(Tensor x, double /*rate*/, const std::string& /*name*/) { return x; }

 private:
  static constexpr double batch_norm_epsilon = 1e-5;

  static std::vector<Tensor> with_bias(Tensor x, Tensor weight, const std::optional<Tensor>& bias) {
    std::vector<Tensor> inputs{x, weight};
    if (bias) inputs.push_back(*bias);
    return inputs;
  }
  static std::vector<Tensor> of_norm(Tensor x, const net::BatchNorm<Tensor>& norm) {
    return {x, norm.weight, norm.bias, norm.running_mean, norm.running_var};
  }
  Tensor one(const OpType& type, std::vector<Tensor> inputs, Detail detail = {}) {
    return plan_.add(type, std::move(inputs), std::move(detail)).front();
  }

  Plan& plan_;
  std::map<std::string, Tensor> by_name_;
};

}  // namespace medurwkv::plan
