#include "torch/training_memory.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "plan/counting.h"

namespace medurwkv::torch_backend {
namespace {

using plan::Operation;
using plan::Plan;
using plan::Value;
using plan::ValueId;

constexpr std::int64_t bytes_per_element = 4;

/// An operation as autograd sees it.
struct Step {
  std::vector<ValueId> inputs;  ///< activations
  std::vector<ValueId> outputs;
  std::vector<ValueId> saved;    ///< kept for backward
  std::int64_t saved_bytes = 0;  ///< kept beside those
  std::int64_t parameters = 0;   ///< bytes of their gradients
  bool in_place = false;         ///< the output is a view of the input
  plan::Passes passes = plan::Passes::none;
  bool trained = false;  ///< something before it has parameters
};

/// Counts the bytes that are allocated, now and at most.
class Meter {
 public:
  void take(std::int64_t bytes) {
    now_ += bytes;
    most_ = std::max(most_, now_);
  }
  void give(std::int64_t bytes) { now_ -= bytes; }
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::int64_t now_ = 0;
  std::int64_t most_ = 0;
};

class StepMemory {
 public:
  StepMemory(const Plan& plan, int loss_parts)
      : plan_(plan), owner_(plan.values.size()), loss_parts_(loss_parts) {
    for (std::size_t i = 0; i < owner_.size(); ++i) owner_[i] = static_cast<ValueId>(i);
    for (const Operation& op : plan.operations) add(op);
  }

  std::int64_t most() {
    forward();
    loss();
    backward();
    return meter_.most();
  }

 private:
  [[nodiscard]] const Value& value(ValueId id) const {
    return plan_.values[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] ValueId owner(ValueId id) const { return owner_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] std::int64_t bytes(ValueId id) const {
    return bytes_per_element * element_count(value(id).shape);
  }
  void add(const Operation& op);
  void forward();
  void loss();
  void backward();
  void back_through(const Step& step);
  void add_gradient(ValueId id, std::size_t buffer);
  void drop(std::size_t buffer);
  std::size_t new_buffer(std::int64_t bytes);
  void keep(ValueId id);
  void release(ValueId id);

  const Plan& plan_;
  std::vector<ValueId> owner_;  ///< the value whose memory a value lies in
  int loss_parts_;
  std::vector<Step> steps_;
  std::set<ValueId> trained_;  ///< activations with a gradient
  Meter meter_;
  std::map<ValueId, int> holders_;  ///< of an activation's memory
  struct Buffer {
    std::int64_t bytes = 0;
    int holders = 0;
  };
  std::vector<Buffer> buffers_;              ///< of gradients
  std::map<ValueId, std::size_t> gradient_;  ///< of an activation
  std::int64_t loss_bytes_ = 0;
};

void StepMemory::add(const Operation& op) {
  Step step;
  step.outputs = op.outputs;
  for (const ValueId id : op.inputs) {
    const auto parameter = value(id).parameter;
    if (!parameter) {
      step.inputs.push_back(id);
      step.trained = step.trained || trained_.contains(id);
      continue;
    }
    const net::ParameterSpec& spec = plan_.parameters[*parameter];
    if (spec.buffer) continue;
    step.parameters += bytes(id);
    step.trained = true;
  }
  if (step.inputs.empty()) return;  // made of parameters alone
  const ValueId input = step.inputs.front();
  if (step.trained) trained_.insert(op.outputs.begin(), op.outputs.end());
  switch (op.type->gradient.keeps) {
    case plan::Keeps::nothing: break;
    case plan::Keeps::first: step.saved = {input}; break;
    case plan::Keeps::last: step.saved = {step.inputs.back()}; break;
    case plan::Keeps::activations: step.saved = step.inputs; break;
    case plan::Keeps::output: step.saved = {op.output()}; break;
    case plan::Keeps::first_and_output: step.saved = {input, op.output()}; break;
  }
  step.saved_bytes = op.type->gradient.notes * element_count(value(op.output()).shape);
  step.passes = op.type->gradient.passes;
  step.in_place = op.type->view;
  if (step.in_place) owner_[static_cast<std::size_t>(op.output())] = owner(input);
  steps_.push_back(std::move(step));
}

void StepMemory::keep(ValueId id) {
  if (holders_[owner(id)]++ == 0) meter_.take(bytes(owner(id)));
}

void StepMemory::release(ValueId id) {
  if (--holders_[owner(id)] == 0) meter_.give(bytes(owner(id)));
}

void StepMemory::forward() {
  std::map<ValueId, std::size_t> last_use;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (const ValueId id : steps_[i].inputs) last_use[owner(id)] = i;
    for (const ValueId id : steps_[i].outputs) last_use[owner(id)] = i;
  }
  keep(plan_.input);  // the batch is the caller's
  std::set<ValueId> running{owner(plan_.input)};
  for (const ValueId id : plan_.outputs) keep(id);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    for (const ValueId id : step.outputs) {
      if (running.insert(owner(id)).second) keep(id);
    }
    if (step.trained) {
      for (const ValueId id : step.saved) keep(id);
      meter_.take(step.saved_bytes);
    }
    for (const auto& [id, last] : last_use) {
      if (last == i && running.contains(id)) release(id);
    }
  }
}

void StepMemory::loss() {
  // In units of the logits: log-softmax, softmax, probabilities, truth (as 64-bit, then float, then
  // masked), three for each further part; 64-bit labels twice and the mask.
  const std::int64_t logits = bytes(plan_.outputs.front());
  const std::int64_t plane = logits / value(plan_.outputs.front()).shape[1];
  loss_bytes_ = (4 + 3 * loss_parts_) * logits + 5 * plane;
  meter_.take(loss_bytes_);
  meter_.take(3 * logits);
  meter_.give(3 * logits);
}

std::size_t StepMemory::new_buffer(std::int64_t bytes) {
  meter_.take(bytes);
  buffers_.push_back({bytes, 0});
  return buffers_.size() - 1;
}

void StepMemory::drop(std::size_t buffer) {
  if (--buffers_[buffer].holders == 0) meter_.give(buffers_[buffer].bytes);
}

/// The first contribution becomes the gradient; others are added to it.
void StepMemory::add_gradient(ValueId id, std::size_t buffer) {
  const auto known = gradient_.find(id);
  if (known == gradient_.end()) {
    ++buffers_[buffer].holders;
    gradient_.emplace(id, buffer);
    return;
  }
  if (buffers_[known->second].holders > 1) {  // shared: the sum needs memory of its own
    const std::size_t sum = new_buffer(bytes(id));
    drop(known->second);
    ++buffers_[sum].holders;
    known->second = sum;
  }
  if (buffers_[buffer].holders == 0) meter_.give(buffers_[buffer].bytes);
}

void StepMemory::back_through(const Step& step) {
  std::vector<std::size_t> gradients;
  for (const ValueId id : step.outputs) {
    const auto found = gradient_.find(id);
    if (found == gradient_.end()) continue;
    gradients.push_back(found->second);
    gradient_.erase(found);
  }
  if (!gradients.empty()) {
    meter_.take(step.parameters);
    for (const ValueId id : step.inputs) {
      if (!trained_.contains(id)) continue;
      const bool passed = step.passes == plan::Passes::all ||
                          (step.passes == plan::Passes::first && id == step.inputs.front()) ||
                          (step.in_place && bytes(id) == bytes(step.outputs.front()));
      add_gradient(id, passed ? gradients.front() : new_buffer(bytes(id)));
    }
    for (const std::size_t gradient : gradients) drop(gradient);
  }
  for (const ValueId id : step.saved) release(id);
  meter_.give(step.saved_bytes);
}

void StepMemory::backward() {
  const ValueId logits = plan_.outputs.front();
  const std::size_t gradient = new_buffer(bytes(logits));
  meter_.take(2 * bytes(logits));  // what softmax and log-softmax contribute
  meter_.give(2 * bytes(logits) + loss_bytes_);
  add_gradient(logits, gradient);
  std::reverse(steps_.begin(), steps_.end());
  for (const Step& step : steps_) {
    if (step.trained) back_through(step);
  }
}

}  // namespace

TrainingMemory training_memory(const Plan& plan, int loss_parts) {
  const plan::Cost cost = plan::count(plan);
  std::int64_t largest = 0;
  for (const net::ParameterSpec& spec : plan.parameters) {
    if (!spec.buffer) largest = std::max(largest, bytes_per_element * element_count(spec.shape));
  }
  return {.parameters = bytes_per_element * (cost.parameters + cost.buffers),
          .moments = 2 * bytes_per_element * cost.parameters,
          .largest = largest,
          .step = StepMemory(plan, loss_parts).most()};
}

}  // namespace medurwkv::torch_backend
