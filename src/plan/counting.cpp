#include "plan/counting.h"

#include <algorithm>
#include <vector>

#include "plan/memory.h"
#include "plan/ops.h"

namespace medurwkv::plan {
namespace {

constexpr std::int64_t bytes_per_element = 4;

std::vector<StageCost> empty_stages(const Plan& plan) {
  std::vector<StageCost> stages(plan.stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) stages[i].stage = plan.stages[i];
  return stages;
}

void count_memory(const Plan& plan, Cost& cost) {
  const Lifetimes lifetimes = lifetimes_of(plan);
  const auto bytes = [&](ValueId id) { return bytes_per_element * element_count(plan.shape(id)); };
  std::vector<std::int64_t> freed(plan.operations.size() + 1, 0);
  for (ValueId id = 0; id < std::ssize(plan.values); ++id) {
    if (plan.is_parameter(id) || !lifetimes.owns(id)) continue;
    freed[lifetimes.of[static_cast<std::size_t>(id)].last] += bytes(id);
  }
  std::int64_t alive = bytes(plan.input);
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const Operation& op = plan.operations[i];
    for (const ValueId id : op.outputs) alive += lifetimes.owns(id) ? bytes(id) : 0;
    StageCost& stage = cost.stages[op.stage];
    stage.peak_bytes = std::max(stage.peak_bytes, alive);
    cost.peak_bytes = std::max(cost.peak_bytes, alive);
    alive -= freed[i];
  }
}

void count_parameters(const Plan& plan, Cost& cost) {
  std::vector<bool> seen(plan.parameters.size(), false);
  for (const Operation& op : plan.operations) {
    for (const ValueId input : op.inputs) {
      const auto parameter = plan.value(input).parameter;
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
    if (op.is(op::bi_wkv)) cost.wkv_token_channels += element_count(plan.shape(op.output()));
  }
  count_parameters(plan, cost);
  count_memory(plan, cost);
  return cost;
}

}  // namespace medurwkv::plan
