// An operation made ready to run: what it knows beforehand is worked out once, its weights are in
// the order that it wants. Relies on plan/plan.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "native/memory.h"
#include "plan/plan.h"

namespace medurwkv::native {

/// The numbers of a parameter, or of what follows from parameters alone.
struct Constant {
  std::span<float> numbers = {};
  bool sole = false;  ///< no other operation reads them, so that they may be overwritten

  [[nodiscard]] bool is_known() const { return numbers.data() != nullptr; }
};

/// What a step is made from. Maps are channels last here: batch x height x width x channels in
/// memory, whatever their shape says.
struct StepQuestion {
  const plan::Operation& operation;
  plan::Shapes inputs, outputs;
  /// How the numbers are held; a step is only asked for what native/precision.h gives it.
  std::vector<plan::Held> inputs_held, outputs_held;
  std::vector<Constant> constants;  ///< one for each input; unknown for what changes with the image
  Arena& arena;                     ///< for what the step keeps

  template <class Kind>
  [[nodiscard]] const Kind& detail() const {
    return std::get<Kind>(operation.detail);
  }
};

/// Where the numbers of a step lie in this run; inputs that are constants are there, too. What is
/// held in 16 or 8 bits is so behind the same pointers.
struct StepArrays {
  std::span<const float* const> in;
  std::span<float* const> out;
  std::byte* scratch = nullptr;
};

class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  Step(Step&&) = delete;
  Step& operator=(Step&&) = delete;
  virtual ~Step() = default;

  /// Whether the step has a copy of constant `input` and does not read it in run().
  [[nodiscard]] virtual bool packs(std::size_t /*input*/) const { return false; }
  /// Bytes that run() wants as scratch, aligned to 64.
  [[nodiscard]] virtual std::int64_t scratch_bytes() const { return 0; }
  /// Allocates nothing.
  virtual void run(const StepArrays& arrays) = 0;
};

using MakeStep = std::unique_ptr<Step> (*)(const StepQuestion& question);

/// A step of a function alone.
template <class Run>
class FunctionStep : public Step {
 public:
  FunctionStep(Run run, std::int64_t scratch) : run_(std::move(run)), scratch_(scratch) {}
  [[nodiscard]] std::int64_t scratch_bytes() const override { return scratch_; }
  void run(const StepArrays& arrays) override { run_(arrays); }

 private:
  Run run_;
  std::int64_t scratch_;
};

template <class Run>
std::unique_ptr<Step> function_step(Run run, std::int64_t scratch = 0) {
  return std::make_unique<FunctionStep<Run>>(std::move(run), scratch);
}

}  // namespace medurwkv::native
