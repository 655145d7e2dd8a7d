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
using plan::OpKind;
using plan::Plan;
using plan::Value;
using plan::ValueId;

constexpr std::int64_t bytes_per_element = 4;

/// An operation as autograd sees it.
struct Step {
  std::vector<ValueId> inputs;  ///< activations
  ValueId output = 0;
  std::vector<ValueId> saved;      ///< kept for backward
  std::int64_t saved_bytes = 0;    ///< kept beside those
  std::int64_t parameters = 0;     ///< bytes of their gradients
  bool in_place = false;           ///< the output is a view of the input
  bool hands_on_gradient = false;  ///< the gradient of the output is also that of the inputs
  bool trained = false;            ///< something before it has parameters
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
    for (std::size_t i = 0; i < plan.operations.size(); ++i) add(i);
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
  /// The operation after `index` that is fused with it: what an expansion or a batch normalisation
  /// gives is then never stored.
  [[nodiscard]] bool fused_with_next(std::size_t index, OpKind kind, OpKind next) const {
    const std::vector<Operation>& all = plan_.operations;
    return all[index].kind == kind && index + 1 < all.size() && all[index + 1].kind == next &&
           all[index + 1].inputs.front() == all[index].output;
  }

  void add(std::size_t index);
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

void StepMemory::add(std::size_t index) {
  const Operation& op = plan_.operations[index];
  Step step;
  step.output = op.output;
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
  if (step.trained) trained_.insert(op.output);
  switch (op.kind) {
    case OpKind::to_tokens:
    case OpKind::to_map:
    case OpKind::row:
    case OpKind::slice:
    case OpKind::crop: step.in_place = true; break;
    case OpKind::expand:
      step.in_place = fused_with_next(index, OpKind::expand, OpKind::layer_norm);
      break;
    case OpKind::batch_norm:
      step.saved = {input};
      step.in_place = fused_with_next(index, OpKind::batch_norm, OpKind::relu);
      break;
    case OpKind::linear:
    case OpKind::conv2d:
    case OpKind::conv_transpose2d:
    case OpKind::layer_norm:
    case OpKind::gelu:
    case OpKind::squared_relu:
    case OpKind::shift:
    case OpKind::shift_mix: step.saved = {input}; break;
    case OpKind::relu:
    case OpKind::sigmoid:
    case OpKind::tanh: step.saved = {op.output}; break;
    case OpKind::max_pool:
      step.saved = {input};
      step.saved_bytes = 2 * bytes(op.output);  // 64-bit indices
      break;
    case OpKind::multiply:
    case OpKind::gate:
    case OpKind::bi_wkv:
    case OpKind::deform_attn: step.saved = step.inputs; break;
    case OpKind::scale_add:
      step.saved = {step.inputs.back()};
      step.hands_on_gradient = true;
      break;
    case OpKind::add: step.hands_on_gradient = true; break;
    case OpKind::subtract:
    case OpKind::concat:
    case OpKind::resize:
    case OpKind::mean_tokens:
    case OpKind::pad_edge: break;
  }
  if (step.in_place) owner_[static_cast<std::size_t>(op.output)] = owner(input);
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
    last_use[owner(steps_[i].output)] = i;
  }
  keep(plan_.input);  // the batch is the caller's
  std::set<ValueId> running{owner(plan_.input)};
  for (const ValueId id : plan_.outputs) keep(id);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (running.insert(owner(step.output)).second) keep(step.output);
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
  const auto found = gradient_.find(step.output);
  if (found != gradient_.end()) {
    const std::size_t gradient = found->second;
    gradient_.erase(found);
    meter_.take(step.parameters);
    for (const ValueId id : step.inputs) {
      if (!trained_.contains(id)) continue;
      const bool same =
          step.hands_on_gradient || (step.in_place && bytes(id) == bytes(step.output));
      const bool whole = step.hands_on_gradient && id != step.inputs.front() && !step.saved.empty();
      add_gradient(id, same && !whole ? gradient : new_buffer(bytes(id)));
    }
    drop(gradient);
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
