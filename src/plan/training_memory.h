// What a training step needs in memory, from the plan of its network. Relies on plan/plan.h.
#pragma once

#include <cstdint>

#include "plan/plan.h"

namespace medurwkv::plan {

/// Bytes, float32.
struct TrainingMemory {
  std::int64_t parameters = 0;  ///< trained ones and buffers
  std::int64_t moments = 0;     ///< of AdamW: two of each trained one
  std::int64_t largest = 0;     ///< trained tensor
  std::int64_t step = 0;        ///< the most that activations and all gradients take at once
};

/// Follows one step (forward, loss, backward) of `plan`, recorded with the batch to be trained on,
/// as LibTorch's autograd runs it: an activation lives until its last use, or, where the backward
/// pass of an operation needs it, until that is done; its gradient from the first contribution
/// until the operation that made it has passed it on; a parameter's gradient to the end. What
/// backward needs: the input of linear maps, convolutions, norms, activations, shift mixes and
/// pooling (and its indices), both sides of a gate, key and value of bi-WKV, all three inputs of
/// deformable attention, the branch of a scaled residual; of a batch normalisation with ReLU its
/// input and result. `classes` planes each of log-softmax, softmax, products and truth make up the
/// loss, and three more each of its `loss_parts` beside cross-entropy and Dice. While backward
/// passes a parameter, its value and gradient lie in oneDNN's order too.
TrainingMemory training_memory(const Plan& plan, int loss_parts = 0);

}  // namespace medurwkv::plan
