// A whole network run through an interpreter of LibTorch tensors as often as wanted: what
// benchmarks time. Written over the Ops concept, so that any interpreter can be timed. Relies on
// net, plan and LibTorch's autograd.
#pragma once

#include "torch/aten.h"

#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <vector>

#include "net/med_urwkv.h"
#include "net/ops.h"
#include "plan/plan.h"
#include "torch/torch_ops.h"

namespace medurwkv::bench {

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
