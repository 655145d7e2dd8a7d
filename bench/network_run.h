// One operation of a plan, and a whole network, run through an interpreter of LibTorch tensors as
// often as wanted: what benchmarks time. Written over the Ops concept, so that any interpreter can
// be timed. Relies on net, plan and LibTorch's autograd.
#pragma once

#include "torch/aten.h"

#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/error.h"
#include "net/med_urwkv.h"
#include "net/ops.h"
#include "plan/plan.h"
#include "torch/torch_ops.h"

namespace medurwkv::bench {

/// The result of `op` on `in`, its inputs in the plan's order. Throws an internal Error for a view.
template <net::Ops O>
at::Tensor run_operation(O& ops, const plan::Operation& op, const std::vector<at::Tensor>& in) {
  using plan::OpKind;
  const auto bias = [&]() -> std::optional<at::Tensor> {
    return in.size() > 2 ? std::optional(in[2]) : std::nullopt;
  };
  const auto grid = [&] { return std::get<net::Grid>(op.detail); };
  switch (op.kind) {
    case OpKind::linear: return ops.linear(in[0], in[1], bias());
    case OpKind::conv2d:
      return ops.conv2d(in[0], in[1], bias(), std::get<net::Convolution>(op.detail));
    case OpKind::conv_transpose2d:
      return ops.conv_transpose2d(in[0], in[1], bias(), std::get<plan::Stride>(op.detail).value);
    case OpKind::batch_norm:
      return ops.batch_norm(in[0], {.weight = in[1],
                                    .bias = in[2],
                                    .running_mean = in[3],
                                    .running_var = in[4],
                                    .batches = at::zeros({}, at::kLong)});
    case OpKind::layer_norm:
      return ops.layer_norm(in[0], in[1], in[2], std::get<plan::Epsilon>(op.detail).value);
    case OpKind::relu: return ops.relu(in[0]);
    case OpKind::gelu: return ops.gelu(in[0]);
    case OpKind::sigmoid: return ops.sigmoid(in[0]);
    case OpKind::tanh: return ops.tanh(in[0]);
    case OpKind::squared_relu: return net::squared_relu(ops, in[0]);
    case OpKind::add: return ops.add(in[0], in[1]);
    case OpKind::subtract: return ops.subtract(in[0], in[1]);
    case OpKind::multiply: return ops.multiply(in[0], in[1]);
    case OpKind::scale_add: return net::scale_add(ops, in[0], in[1], in[2]);
    case OpKind::gate: return net::gate(ops, in[0], in[1]);
    case OpKind::shift: return ops.shift(in[0], grid());
    case OpKind::shift_mix: return net::shift_mix(ops, in[0], {in[1]}, grid()).front();
    case OpKind::bi_wkv:
      return ops.bi_wkv(in[2], in[3], in[0], in[1], std::get<net::WkvMode>(op.detail));
    case OpKind::deform_attn:
      return ops.deform_attn(in[0], in[1], in[2], std::get<net::DeformableAttention>(op.detail));
    case OpKind::max_pool: {
      const auto& pool = std::get<plan::Pool>(op.detail);
      return ops.max_pool(in[0], pool.kernel, pool.stride, pool.padding);
    }
    case OpKind::concat: return ops.concat(in);
    case OpKind::resize: {
      const auto& resize = std::get<plan::Resize>(op.detail);
      return ops.resize(in[0], resize.to, resize.how);
    }
    case OpKind::expand: {
      const auto& expand = std::get<plan::Expand>(op.detail);
      return ops.expand(in[0], expand.from, expand.factor);
    }
    case OpKind::mean_tokens: return ops.mean_tokens(in[0]);
    case OpKind::pad_edge: return ops.pad_edge(in[0], grid());
    default: throw_internal("a view was to be run by itself");
  }
}

/// A network with start values, an image batch of noise and random labels. `Tail` is what makes a
/// training step of it: constructed with the store, it has `at::Tensor loss(logits, labels)` and
/// `void update()`, which applies the gradients and drops them.
template <net::Ops O, class Tail>
class NetworkRun {
 public:
  NetworkRun(const net::NetworkConfig& config, std::int64_t batch, std::int64_t size,
             at::MemoryFormat format)
      : config_(config),
        store_(plan::parameters_of(config), 1, at::kFloat, at::kCPU),
        tail_(store_),
        image_(at::randn({batch, config.channels, size, size}).contiguous(format)),
        labels_(at::randint(0, config.classes, {batch, size, size}, at::kLong)) {}

  /// As `predict` runs it: no gradients, running statistics.
  std::vector<at::Tensor> forward() {
    const at::NoGradGuard no_grad;
    return outputs(run(false));
  }

  /// In training mode, then backward from gradients of one on the outputs.
  void forward_backward() {
    const std::vector<at::Tensor> out = outputs(run(true));
    if (ones_.empty()) {
      for (const at::Tensor& one : out) ones_.push_back(at::ones_like(one));
    }
    torch::autograd::backward(out, ones_);
    drop_gradients();
  }

  /// Forward, loss, backward, update; a network that gives logits.
  void training_step() {
    tail_.loss(run(true).logits, labels_).backward();
    tail_.update();
  }

 private:
  net::NetworkOutput<at::Tensor> run(bool training) {
    O ops(store_, {.training = training, .seed = 1, .step = 0});
    return net::network(ops, config_, image_);
  }

  std::vector<at::Tensor> outputs(const net::NetworkOutput<at::Tensor>& out) const {
    if (config_.architecture == net::Architecture::encoder) return out.features;
    return {out.logits};
  }

  void drop_gradients() {
    for (const net::ParameterSpec& spec : store_.specs()) {
      if (!spec.buffer) store_.at(spec.name).mutable_grad().reset();
    }
  }

  net::NetworkConfig config_;
  torch_backend::ParameterStore store_;
  Tail tail_;
  at::Tensor image_, labels_;
  std::vector<at::Tensor> ones_;
};

}  // namespace medurwkv::bench
