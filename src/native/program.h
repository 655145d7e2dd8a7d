// A network made ready to run on images of one size: its steps, and where every value lies. Relies
// on native/step.h and plan/memory.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "native/memory.h"
#include "native/precision.h"
#include "native/read_floats.h"
#include "native/step.h"
#include "plan/plan.h"

namespace medurwkv::native {

class Program {
 public:
  /// Works out what follows from parameters alone. Throws an internal Error for an operation that
  /// the engine does not have.
  Program(const plan::Plan& recorded, Tensors tensors, Precision precision = Precision::float32,
          const Ranges& ranges = {});
  Program(const plan::Plan& recorded, const ReadParameter& read,
          Precision precision = Precision::float32, const Ranges& ranges = {})
      : Program(recorded, Tensors(recorded.parameters, read), precision, ranges) {}

  /// Of the workspace that run() wants, aligned to 64.
  [[nodiscard]] std::int64_t workspace_bytes() const { return workspace_; }
  /// `outputs` in the plan's order, maps as channels x height x width. Allocates nothing.
  void run(const float* input, std::span<float* const> outputs, std::byte* workspace);

  /// Called after each step with its operation in plan() and the numbers of its inputs and outputs,
  /// maps channels last. An input that the step has a copy of is null.
  using Watch =
      std::function<void(const plan::Operation& operation, std::span<const float* const> inputs,
                         std::span<const float* const> outputs)>;
  void run(const float* input, std::span<float* const> outputs, std::byte* workspace,
           const Watch& watch);
  [[nodiscard]] const plan::Plan& plan() const { return plan_; }

 private:
  /// Where a value lies: in a constant, in the workspace from a byte on, with the caller.
  struct Place {
    enum class Kind { nowhere, constant, workspace, input, output } kind = Kind::nowhere;
    std::int64_t at = 0;      ///< byte of the workspace, or index of the constant or output
    std::int64_t offset = 0;  ///< bytes from there: a view of a part
  };
  struct Ready {
    std::unique_ptr<Step> step;
    std::vector<Place> in, out;
    std::size_t operation = 0;  ///< of plan_
  };

  plan::Plan plan_;
  Tensors
      tensors_;  ///< constants lie here, as parameters or overwritten by what steps made of them
  Arena arena_;  ///< ... or here
  std::vector<const float*> constants_;
  std::vector<Ready> steps_;
  std::int64_t workspace_ = 0;
  std::int64_t scratch_at_ = 0;
  std::vector<const float*> in_;  ///< of the step that runs
  std::vector<float*> out_;
};

Memory workspace_for(const Program& program);

/// Bytes that a program of the network takes beside its weights.
std::int64_t program_memory(const plan::Plan& recorded, Precision precision,
                            const Ranges& ranges = {});

}  // namespace medurwkv::native
