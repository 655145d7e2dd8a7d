#include "plan/counting.h"

#include <algorithm>

namespace medurwkv::plan {
namespace {

constexpr std::int64_t bytes_per_element = 4;

bool is_view(OpKind kind) {
  return kind == OpKind::to_tokens || kind == OpKind::to_map || kind == OpKind::row;
}

/// The value whose memory `id` lives in: itself, or what it is a view of.
std::vector<ValueId> owners_of(const Plan& plan) {
  std::vector<ValueId> owners(plan.values.size());
  for (std::size_t i = 0; i < owners.size(); ++i) owners[i] = static_cast<ValueId>(i);
  for (const Operation& op : plan.operations) {
    if (is_view(op.kind)) {
      owners[static_cast<std::size_t>(op.output)] =
          owners[static_cast<std::size_t>(op.inputs.front())];
    }
  }
  return owners;
}

/// Index of the operation after which a value's memory is free; the plan's end for its outputs.
std::vector<std::size_t> last_uses(const Plan& plan, const std::vector<ValueId>& owners) {
  std::vector<std::size_t> last(plan.values.size(), 0);
  const auto touch = [&](ValueId id, std::size_t when) {
    std::size_t& entry = last[static_cast<std::size_t>(owners[static_cast<std::size_t>(id)])];
    entry = std::max(entry, when);
  };
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    for (const ValueId input : plan.operations[i].inputs) touch(input, i);
    touch(plan.operations[i].output, i);
  }
  for (const ValueId output : plan.outputs) touch(output, plan.operations.size());
  return last;
}

std::vector<StageCost> empty_stages(const Plan& plan) {
  std::vector<StageCost> stages(plan.stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) stages[i].stage = plan.stages[i];
  return stages;
}

void count_memory(const Plan& plan, Cost& cost) {
  const std::vector<ValueId> owners = owners_of(plan);
  const std::vector<std::size_t> last = last_uses(plan, owners);
  std::vector<std::vector<ValueId>> freed_after(plan.operations.size() + 1);
  for (std::size_t i = 0; i < plan.values.size(); ++i) {
    const bool owner = owners[i] == static_cast<ValueId>(i);
    if (owner && !plan.values[i].parameter) freed_after[last[i]].push_back(static_cast<ValueId>(i));
  }
  const auto bytes = [&](ValueId id) {
    return bytes_per_element * element_count(plan.values[static_cast<std::size_t>(id)].shape);
  };
  std::int64_t alive = bytes(plan.input);
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const Operation& op = plan.operations[i];
    if (!is_view(op.kind)) alive += bytes(op.output);
    StageCost& stage = cost.stages[op.stage];
    stage.peak_bytes = std::max(stage.peak_bytes, alive);
    cost.peak_bytes = std::max(cost.peak_bytes, alive);
    for (const ValueId id : freed_after[i]) alive -= bytes(id);
  }
}

void count_parameters(const Plan& plan, Cost& cost) {
  std::vector<bool> seen(plan.parameters.size(), false);
  for (const Operation& op : plan.operations) {
    for (const ValueId input : op.inputs) {
      const auto parameter = plan.values[static_cast<std::size_t>(input)].parameter;
      if (!parameter || seen[*parameter]) continue;
      seen[*parameter] = true;
      const net::ParameterSpec& spec = plan.parameters[*parameter];
      if (!spec.buffer) cost.stages[op.stage].parameters += element_count(spec.shape);
    }
  }
  for (const net::ParameterSpec& spec : plan.parameters) {
    if (spec.buffer) cost.buffers += element_count(spec.shape);
  }
  cost.parameters = parameter_count(plan.parameters);
}

}  // namespace

const char* to_string(OpKind kind) {
  switch (kind) {
    case OpKind::linear: return "linear";
    case OpKind::conv2d: return "conv2d";
    case OpKind::conv_transpose2d: return "conv_transpose2d";
    case OpKind::batch_norm: return "batch_norm";
    case OpKind::layer_norm: return "layer_norm";
    case OpKind::relu: return "relu";
    case OpKind::gelu: return "gelu";
    case OpKind::sigmoid: return "sigmoid";
    case OpKind::tanh: return "tanh";
    case OpKind::squared_relu: return "squared_relu";
    case OpKind::add: return "add";
    case OpKind::subtract: return "subtract";
    case OpKind::multiply: return "multiply";
    case OpKind::scale_add: return "scale_add";
    case OpKind::gate: return "gate";
    case OpKind::shift: return "shift";
    case OpKind::shift_mix: return "shift_mix";
    case OpKind::bi_wkv: return "bi_wkv";
    case OpKind::deform_attn: return "deform_attn";
    case OpKind::max_pool: return "max_pool";
    case OpKind::concat: return "concat";
    case OpKind::slice: return "slice";
    case OpKind::row: return "row";
    case OpKind::resize: return "resize";
    case OpKind::expand: return "expand";
    case OpKind::to_tokens: return "to_tokens";
    case OpKind::to_map: return "to_map";
    case OpKind::mean_tokens: return "mean_tokens";
    case OpKind::pad_edge: return "pad_edge";
    case OpKind::crop: return "crop";
  }
  return "unknown";
}

std::int64_t parameter_count(const std::vector<net::ParameterSpec>& parameters) {
  std::int64_t sum = 0;
  for (const net::ParameterSpec& spec : parameters) {
    if (!spec.buffer) sum += element_count(spec.shape);
  }
  return sum;
}

Cost count(const Plan& plan) {
  Cost cost;
  cost.stages = empty_stages(plan);
  for (const Operation& op : plan.operations) {
    cost.stages[op.stage].multiply_adds += op.multiply_adds;
    cost.multiply_adds += op.multiply_adds;
    if (op.kind == OpKind::bi_wkv) {
      cost.wkv_token_channels +=
          element_count(plan.values[static_cast<std::size_t>(op.output)].shape);
    }
  }
  count_parameters(plan, cost);
  count_memory(plan, cost);
  return cost;
}

}  // namespace medurwkv::plan
