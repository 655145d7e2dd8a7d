// AdamW with decoupled weight decay, and the learning-rate schedule. Source: Loshchilov and Hutter,
// "Decoupled Weight Decay Regularization", 2019. Relies on ATen.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// One trained tensor and its moments.
struct AdamWSlot {
  std::string name;
  at::Tensor parameter;
  double weight_decay = 0;
  at::Tensor moment1, moment2;
};

class AdamW {
 public:
  explicit AdamW(AdamWOptions options) : options_(options) {}

  /// Adds a tensor with zero moments.
  void add(const std::string& name, const at::Tensor& parameter, double weight_decay);

  /// One update from the gradients at `rate`; tensors without a gradient stay as they are.
  void step(double rate);
  void zero_gradients();

  [[nodiscard]] std::vector<AdamWSlot>& slots() { return slots_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  AdamWOptions options_;
  std::vector<AdamWSlot> slots_;
  std::int64_t steps_ = 0;
};

/// Scales all gradients so that their common norm is at most `limit`; returns the norm before.
double clip_gradients(std::vector<AdamWSlot>& slots, double limit);

/// base min(1, (step + 1) / warmup) (1 - step / total)^0.9, for steps 0 .. total - 1.
double learning_rate(double base, std::int64_t step, std::int64_t total, std::int64_t warmup);

}  // namespace medurwkv::train
