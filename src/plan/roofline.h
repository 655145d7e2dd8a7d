// The least work of a plan: floating-point operations and bytes of each operation, forward,
// backward and in a training step, and the time that a machine's limits allow for them (Williams,
// Waterman and Patterson, "Roofline", 2009). Relies on plan/plan.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace medurwkv::plan {

/// Additions and multiplications, and float32 bytes that are read or written.
struct Work {
  std::string what;  ///< the operation's name, "loss" or "AdamW"
  double flops = 0;
  double bytes = 0;
};

struct Limits {
  double flops_per_second = 0;
  double bytes_per_second = 0;
};

/// max(FLOP / F, bytes / B).
double bound_seconds(const Work& work, const Limits& limits);

/// The sum of the operations' bounds.
double roofline_seconds(const std::vector<Work>& works, const Limits& limits);

/// One operation. Every distinct input is read once and the output written once, parameters
/// included; views (to_tokens, to_map, row, slice, crop) cost nothing. A multiply-add is two
/// operations; of exponentials, roots and divisions each counts as one.
Work forward_work(const Plan& plan, const Operation& op);

/// What follows from the gradient of the operation's output: one entry, of linear maps and
/// convolutions one for each of the two products. Read are the gradient and what its formula needs
/// of the inputs, written the gradients of those inputs that have one (no trained parameter comes
/// before the image). A sum's gradient is the output's: nothing, but for an operand that is
/// repeated. Adding up gradients of a value with several uses is not counted.
std::vector<Work> backward_work(const Plan& plan, const Operation& op);

/// Whether a gradient goes to each value (of Plan::values): trained parameters and what is computed
/// from them.
std::vector<bool> gradient_values(const Plan& plan);

enum class Extent {
  forward,           ///< running
  forward_backward,  ///< with the gradients of all parameters
  training_step,     ///< with the loss and AdamW
};

/// All of a plan's operations. The loss reads logits and int64 labels, and once more for the
/// gradient of the logits; AdamW reads parameter, gradient and two moments and writes all but the
/// gradient: seven passes.
std::vector<Work> network_work(const Plan& plan, Extent extent);

/// rows x inner times inner x columns.
struct MatrixShape {
  std::int64_t rows = 0;
  std::int64_t inner = 0;
  std::int64_t columns = 0;
  bool operator==(const MatrixShape&) const = default;
};

/// The different matrix products of the plan's linear maps, in the order of first use.
std::vector<MatrixShape> matrix_shapes(const Plan& plan);

}  // namespace medurwkv::plan
