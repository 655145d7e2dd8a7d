// The peer of the network benchmarks: the same network from plain LibTorch operations. What
// ComposedOps has (grid_sample under deformable attention, LibTorch's linear and so its BLAS), with
// bi-WKV as the plain scan instead of a quadratic composition, in one memory format; loss and
// update of a training step from LibTorch alone. Relies on torch/torch_ops.h and plain_wkv.h.
#pragma once

#include "torch/torch_ops.h"

#include <torch/optim/adamw.h>

#include <string>
#include <vector>

namespace medurwkv::bench {

/// bi-WKV by plain_wkv.h over thread_count() threads, with autograd. Exact mode alone; throws an
/// internal Error for another.
at::Tensor plain_bi_wkv(const at::Tensor& decay, const at::Tensor& first, const at::Tensor& key,
                        const at::Tensor& value, net::WkvMode mode);

template <at::MemoryFormat format>
class PlainOps : public torch_backend::ComposedOps {
 public:
  using ComposedOps::ComposedOps;

  static Tensor bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                       const Tensor& value, net::WkvMode mode) {
    return plain_bi_wkv(decay, first, key, value, mode);
  }
  static Tensor to_map(const Tensor& x, net::Grid grid) {
    return ComposedOps::to_map(x, grid).contiguous(format);
  }
};

/// Cross-entropy + Dice, clipping and AdamW as LibTorch's users write them.
class PlainTail {
 public:
  explicit PlainTail(const torch_backend::ParameterStore& store);
  static at::Tensor loss(const at::Tensor& logits, const at::Tensor& labels);
  void update();

 private:
  std::vector<at::Tensor> parameters_;
  torch::optim::AdamW optimizer_;
};

}  // namespace medurwkv::bench
