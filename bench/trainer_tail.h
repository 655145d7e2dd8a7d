// What the trainer does with a network's logits, for benchmarks: loss, clipping, AdamW. Relies on
// train/segmentation/loss.h, train/optimizer.h and torch/parameter_store.h.
#pragma once

#include "torch/aten.h"

#include "torch/parameter_store.h"
#include "train/optimizer.h"
#include "train/segmentation/loss.h"

namespace medurwkv::bench {

/// The `Tail` of network_run.h, with the trainer's defaults.
class TrainerTail {
 public:
  explicit TrainerTail(const torch_backend::ParameterStore& store) : optimizer_({}) {
    for (const net::ParameterSpec& spec : store.specs()) {
      if (!spec.buffer) optimizer_.add(spec.name, store.at(spec.name), spec.decays() ? 0.01 : 0);
    }
  }
  static at::Tensor loss(const at::Tensor& logits, const at::Tensor& labels) {
    return train::segmentation_loss(logits, labels, {}).total;
  }
  void update() {
    train::clip_gradients(optimizer_.slots(), 1);
    optimizer_.step(1e-4);
    optimizer_.zero_gradients();
  }

 private:
  train::AdamW optimizer_;
};

}  // namespace medurwkv::bench
