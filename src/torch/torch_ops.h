// The interpreters that compute with LibTorch, with autograd, on CPU or CUDA. Maps are kept
// channels last, so that tokens and maps are the same memory. Relies on ATen, net/ops.h and
// torch/parameter_store.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/med_urwkv.h"
#include "net/ops.h"
#include "torch/frozen.h"
#include "torch/parameter_store.h"
#include "torch/process_group.h"

namespace medurwkv::torch_backend {

/// What differs between a training step and running.
struct RunMode {
  bool training = false;           ///< batch statistics and drop path
  std::uint64_t seed = 0;          ///< of drop path
  std::uint64_t step = 0;          ///< of drop path
  const Frozen* frozen = nullptr;  ///< what a training step leaves as it is
  /// Linear maps and convolutions multiply in bfloat16 (and add in float32), on float32 tensors.
  bool bfloat16 = false;
  /// Other processes that hold the rest of the batch: batch statistics are over all of it. Outlives
  /// the step.
  const ProcessGroup* group = nullptr;
  std::int64_t first_sample = 0;  ///< position in the whole batch of this process's first sample
  bool counts = true;  ///< false: the whole batch is smaller than the group, this sample stands in
};

/// Every operation from LibTorch's own, the fused ones as the vocabulary composes them: what runs
/// on CUDA, and what TorchOps is measured against.
class ComposedOps {
 public:
  using Tensor = at::Tensor;

  ComposedOps(const ParameterStore& store, RunMode mode) : store_(store), mode_(mode) {}

  static void begin_stage(const std::string& /*name*/) {}
  Tensor param(const net::ParameterSpec& spec) { return store_.at(spec.name); }
  static Shape shape(const Tensor& x) { return x.sizes().vec(); }

  Tensor linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) const;
  Tensor conv2d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                const net::Convolution& how) const;
  Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                          std::int64_t stride) const;
  Tensor batch_norm(const Tensor& x, const net::BatchNorm<Tensor>& norm) const;
  static Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double epsilon);
  static Tensor relu(const Tensor& x) { return at::relu(x); }
  static Tensor gelu(const Tensor& x) { return at::gelu(x); }
  static Tensor sigmoid(const Tensor& x) { return at::sigmoid(x); }
  static Tensor tanh(const Tensor& x) { return at::tanh(x); }
  static Tensor add(const Tensor& a, const Tensor& b) { return at::add(a, b); }
  static Tensor subtract(const Tensor& a, const Tensor& b) { return at::sub(a, b); }
  static Tensor multiply(const Tensor& a, const Tensor& b) { return at::mul(a, b); }
  static Tensor shift(const Tensor& x, net::Grid grid);
  static Tensor bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                       const Tensor& value, net::WkvMode mode);
  static Tensor deform_attn(const Tensor& values, const Tensor& offsets, const Tensor& weights,
                            const net::DeformableAttention& where);
  static Tensor max_pool(const Tensor& x, std::int64_t kernel, std::int64_t stride,
                         std::int64_t padding);
  static Tensor concat(const std::vector<Tensor>& parts) { return at::cat(parts, 1); }
  static Tensor slice(const Tensor& x, std::int64_t start, std::int64_t count) {
    return x.narrow(1, start, count);
  }
  static Tensor row(const Tensor& x, std::int64_t index) { return x.select(0, index); }
  static Tensor resize(const Tensor& x, net::Grid to, net::Interpolation how);
  static Tensor expand(const Tensor& x, net::Grid grid, std::int64_t factor);
  static Tensor to_tokens(const Tensor& x);
  static Tensor to_map(const Tensor& x, net::Grid grid);
  static Tensor mean_tokens(const Tensor& x) { return x.mean(1); }
  static Tensor pad_edge(const Tensor& x, net::Grid to);
  static Tensor crop(const Tensor& x, net::Grid to);
  Tensor drop_path(const Tensor& x, double rate, const std::string& name) const;

 protected:
  static constexpr double batch_norm_momentum = 0.1;
  static constexpr double batch_norm_epsilon = 1e-5;

  /// Whether products of `x` are made in bfloat16.
  [[nodiscard]] bool in_bfloat16(const Tensor& x) const {
    return mode_.bfloat16 && x.scalar_type() == at::kFloat;
  }
  /// Whether the norm takes the batch's statistics: then counts the batch, and refuses one that
  /// has none.
  [[nodiscard]] bool begin_batch(const Tensor& x, const net::BatchNorm<Tensor>& norm) const;
  /// Whether batch statistics are over several processes.
  [[nodiscard]] bool shares_batch() const { return mode_.training && mode_.group != nullptr; }

 private:
  /// Batch normalisation over the samples of all processes.
  [[nodiscard]] Tensor shared_batch_norm(const Tensor& x, const net::BatchNorm<Tensor>& norm) const;

  const ParameterStore& store_;
  RunMode mode_;
};

/// With kernels of ours and oneDNN's where they run (on the CPU, most in float32 alone);
/// ComposedOps' operations elsewhere.
class TorchOps : public ComposedOps {
 public:
  using ComposedOps::ComposedOps;

  /// Whether kernels of ours run on the device (kernels/isa.h).
  static bool runs_on(at::Device device);
  Tensor linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) const;
  static Tensor bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                       const Tensor& value, net::WkvMode mode);
  static Tensor deform_attn(const Tensor& values, const Tensor& offsets, const Tensor& weights,
                            const net::DeformableAttention& where);
  /// Convolutions that are linear maps run as such.
  Tensor conv2d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                const net::Convolution& how) const;
  Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                          std::int64_t stride) const;
  static Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double epsilon);
  std::vector<Tensor> shift_mix(const Tensor& x, const std::vector<Tensor>& mixes, net::Grid grid);
  Tensor gate(const Tensor& receptance, const Tensor& y);
  Tensor squared_relu(const Tensor& x);
  Tensor scale_add(const Tensor& x, const Tensor& scale, const Tensor& branch);
  Tensor expand_norm(const Tensor& x, net::Grid grid, std::int64_t factor, const Tensor& weight,
                     const Tensor& bias, double epsilon);
  Tensor norm_relu(const Tensor& x, const net::BatchNorm<Tensor>& norm);
};

/// Runs the network on `image` (batch x channels x height x width, of the store's type and device).
net::NetworkOutput<at::Tensor> run_network(const net::NetworkConfig& config,
                                           const ParameterStore& store, const RunMode& mode,
                                           const at::Tensor& image);

}  // namespace medurwkv::torch_backend
