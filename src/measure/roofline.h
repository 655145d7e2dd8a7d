// The least work of a plan: floating-point operations and bytes of each operation, forward,
// backward and in a training step, and the time that a machine's limits allow for them (Williams,
// Waterman and Patterson, "Roofline", 2009). Relies on plan/plan.h and measure/limits.h.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "measure/limits.h"
#include "plan/plan.h"

namespace medurwkv::measure {

/// FLOP of linear maps, convolutions and deformable attention, a multiply-add being two; everything
/// else waits for memory on any machine that we know. Bytes that are read or written.
struct Work {
  std::string what;  ///< the operation's name, "loss" or "AdamW"
  double flops = 0;
  double bytes = 0;
};

/// The sum of max(FLOP / F, bytes / B) over `works`.
double roofline_seconds(const std::vector<Work>& works, const Limits& limits);

/// What was timed in turn with the machine's loops.
struct Figures {
  Estimate seconds;
  Estimate share;  ///< the roofline over the time, both of the same round
  double gflop = 0;
  double gbyte = 0;
  double bound_seconds = 0;  ///< the median of the rounds' rooflines
};

/// The fields by their names.
void to_json(nlohmann::json& out, const Figures& figures);

Figures figures(const std::vector<Work>& works, const Times& times,
                const std::vector<Limits>& limits);

/// Times `run` in turn with the machine's loops: what it took, beside `works`.
struct BesideLimits {
  LoopSpeeds limits;
  Figures figures;
};
BesideLimits measure_beside_limits(const std::function<void()>& run, const std::vector<Work>& works,
                                   const MeasureOptions& options);

/// One operation. Every distinct input is read once and the output written once, parameters
/// included; views (to_tokens, to_map, row, slice, crop) cost nothing.
Work forward_work(const plan::Plan& plan, const plan::Operation& op);

/// What follows from the gradient of the operation's output: one entry, of linear maps and
/// convolutions one for each of the two products. Read are the gradient and what its formula needs
/// of the inputs, written the gradients of those inputs that have one (no trained parameter comes
/// before the image). A sum's gradient is the output's: nothing, but for an operand that is
/// repeated. Adding up gradients of a value with several uses is not counted.
std::vector<Work> backward_work(const plan::Plan& plan, const plan::Operation& op);

/// Whether a gradient goes to each value (of Plan::values): trained parameters and what is computed
/// from them.
std::vector<bool> gradient_values(const plan::Plan& plan);

enum class Extent {
  forward,           ///< running
  forward_backward,  ///< with the gradients of all parameters
  training_step,     ///< with the loss and AdamW
};

/// All of a plan's operations. The loss reads logits and int64 labels, and once more for the
/// gradient of the logits; AdamW reads parameter, gradient and two moments and writes all but the
/// gradient: seven passes.
std::vector<Work> network_work(const plan::Plan& plan, Extent extent);

}  // namespace medurwkv::measure
