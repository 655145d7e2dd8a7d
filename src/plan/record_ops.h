// The interpreter that writes a plan instead of computing. Relies on plan/plan.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::plan {

class RecordOps {
 public:
  using Tensor = ValueId;

  explicit RecordOps(Plan& plan) : plan_(plan) {}

  /// Adds the network's input.
  Tensor input(Shape shape);

  void begin_stage(const std::string& name);
  Tensor param(const net::ParameterSpec& spec);
  [[nodiscard]] Shape shape(Tensor x) const;

  Tensor linear(Tensor x, Tensor weight, const std::optional<Tensor>& bias);
  Tensor conv2d(Tensor x, Tensor weight, const std::optional<Tensor>& bias,
                const net::Convolution& how);
  Tensor conv_transpose2d(Tensor x, Tensor weight, const std::optional<Tensor>& bias,
                          std::int64_t stride);
  Tensor batch_norm(Tensor x, const net::BatchNorm<Tensor>& norm);
  Tensor layer_norm(Tensor x, Tensor weight, Tensor bias, double epsilon);
  Tensor relu(Tensor x);
  Tensor gelu(Tensor x);
  Tensor sigmoid(Tensor x);
  Tensor tanh(Tensor x);
  Tensor squared_relu(Tensor x);
  Tensor add(Tensor a, Tensor b);
  Tensor subtract(Tensor a, Tensor b);
  Tensor multiply(Tensor a, Tensor b);
  Tensor scale_add(Tensor x, Tensor scale, Tensor branch);
  Tensor gate(Tensor receptance, Tensor y);
  Tensor shift(Tensor x, net::Grid grid);
  std::vector<Tensor> shift_mix(Tensor x, const std::vector<Tensor>& mixes, net::Grid grid);
  Tensor bi_wkv(Tensor decay, Tensor first, Tensor key, Tensor value, net::WkvMode mode);
  Tensor deform_attn(Tensor values, Tensor offsets, Tensor weights,
                     const net::DeformableAttention& where);
  Tensor max_pool(Tensor x, std::int64_t kernel, std::int64_t stride, std::int64_t padding);
  Tensor concat(const std::vector<Tensor>& parts);
  Tensor slice(Tensor x, std::int64_t start, std::int64_t count);
  Tensor row(Tensor x, std::int64_t index);
  Tensor resize(Tensor x, net::Grid to, net::Interpolation how);
  Tensor expand(Tensor x, net::Grid grid, std::int64_t factor);
  Tensor to_tokens(Tensor x);
  Tensor to_map(Tensor x, net::Grid grid);
  Tensor mean_tokens(Tensor x);
  Tensor pad_edge(Tensor x, net::Grid to);
  Tensor crop(Tensor x, net::Grid to);
  /// A plan is of inference, which drops nothing.
  static Tensor drop_path(Tensor x, double /*rate*/, const std::string& /*name*/) { return x; }

 private:
  Tensor emit(OpKind kind, std::vector<Tensor> inputs, Shape shape, Detail detail = {},
              std::int64_t multiply_adds = 0);
  /// Like emit; the result has the shape of the first input.
  Tensor same(OpKind kind, std::vector<Tensor> inputs, Detail detail = {});

  Plan& plan_;
  std::map<std::string, Tensor> by_name_;
};

}  // namespace medurwkv::plan
