// AdamW with decoupled weight decay. Source: Loshchilov and Hutter, "Decoupled Weight Decay
// Regularization", 2019. Relies on ATen.
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
  double rate_factor = 1;  ///< of the rate, weight decay included
  /// Steps that the others made before this one's first; it has no moments until then.
  std::int64_t first_step = 0;
  at::Tensor moment1 = {}, moment2 = {};
};

class AdamW {
 public:
  explicit AdamW(AdamWOptions options) : options_(options) {}

  /// Adds a tensor; the slot is valid until the next one is added.
  AdamWSlot& add(const std::string& name, const at::Tensor& parameter, double weight_decay);

  /// One update from the gradients at `rate`; tensors without a gradient stay as they are. Moments
  /// are made (0) when they are first needed.
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

}  // namespace medurwkv::train
