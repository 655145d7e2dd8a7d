// What LibTorch takes in memory: in a training step, from the plan of its network, and beside
// tensors. Relies on plan/plan.h.
#pragma once

#include <cstdint>

#include "plan/plan.h"

namespace medurwkv::torch_backend {

/// Bytes of code and tables that LibTorch and oneDNN make when they first compute; measured
/// (docs/performance.md).
inline constexpr std::int64_t library_working_set = 30'000'000;

/// Bytes, float32.
struct TrainingMemory {
  std::int64_t parameters = 0;  ///< trained ones and buffers
  std::int64_t moments = 0;     ///< of AdamW: two of each trained one
  std::int64_t largest = 0;     ///< bytes of the largest trained tensor
  std::int64_t step = 0;        ///< the most that activations and all gradients take at once
};

/// Follows one step (forward, loss, backward) of `plan`, recorded with the batch to be trained on,
/// as LibTorch's autograd runs it: an activation lives until its last use, or until the backward
/// pass of every operation that needs it is done; its gradient from the first contribution until
/// the operation that made the activation has passed it on; a parameter's gradient to the end.
/// What each operation's backward pass needs: plan::Gradient.
/// The loss needs 4 planes per class (log-softmax, softmax, products, truth), 3 more per class for
/// each of the `loss_parts` beside cross-entropy and Dice, and 5 planes of labels and mask.
/// oneDNN's own copies of weights and gradients are not counted.
TrainingMemory training_memory(const plan::Plan& plan, int loss_parts = 0);

}  // namespace medurwkv::torch_backend
