#include "cases.h"

#include "kernels/bi_wkv.h"
#include "plan/ops.h"

namespace medurwkv::bench {
namespace {

/// One sequence and room for its result and gradients.
struct WkvArrays {
  kernels::WkvShape shape;
  std::vector<float> decay, first, key, value, y, grad_y, grad_decay, grad_first, grad_key,
      grad_value;

  WkvArrays(std::int64_t tokens, std::int64_t channels)
      : shape{.batch = 1, .tokens = tokens, .channels = channels} {
    const auto wide = static_cast<std::size_t>(channels);
    const auto all = wide * static_cast<std::size_t>(tokens);
    for (std::vector<float>* column : {&decay, &first, &grad_decay, &grad_first}) {
      column->resize(wide);
    }
    for (std::vector<float>* array : {&key, &value, &y, &grad_y, &grad_key, &grad_value}) {
      array->resize(all);
    }
    // Decays of 0 to 3 over the channels, divided by the tokens.
    for (std::size_t c = 0; c < wide; ++c) {
      decay[c] = 3 * static_cast<float>(c) / static_cast<float>(all);
      first[c] = 0.3F / static_cast<float>(tokens);
    }
    for (std::size_t i = 0; i < all; ++i) {
      key[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
      value[i] = static_cast<float>(i * 53 % 97) / 48 - 1;
      grad_y[i] = static_cast<float>(i * 29 % 89) / 44 - 1;
    }
  }
  kernels::Workspace forward_room(kernels::WkvMode mode) {
    return room(kernels::bi_wkv_forward_workspace(shape, mode, decay.data(), first.data()));
  }
  kernels::Workspace backward_room(kernels::WkvMode mode) {
    return room(kernels::bi_wkv_backward_workspace(shape, mode, decay.data(), first.data()));
  }
  [[nodiscard]] kernels::WkvInput<float> input() const {
    return {.decay = decay.data(), .first = first.data(), .key = key.data(), .value = value.data()};
  }

 private:
  /// Only grows, so that it is not allocated anew in every round.
  kernels::Workspace room(std::int64_t bytes) {
    if (std::ssize(workspace_) < bytes) workspace_.resize(static_cast<std::size_t>(bytes));
    return workspace_;
  }

  std::vector<std::byte> workspace_;
};

/// The work as the plan counts it, of bi-WKV by itself.
plan::Plan wkv_plan(std::int64_t tokens, std::int64_t channels, kernels::WkvMode mode) {
  plan::Plan out;
  const auto parameter = [&](const Shape& shape) {
    out.values.push_back({.shape = shape, .parameter = out.parameters.size()});
    out.parameters.push_back({.name = "any", .shape = shape});
  };
  parameter({1, tokens, channels});
  parameter({1, tokens, channels});
  parameter({channels});
  parameter({channels});
  out.add(plan::op::bi_wkv, {0, 1, 2, 3}, mode);
  return out;
}

const Shape& shape_of(const plan::Plan& plan, plan::ValueId id) {
  return plan.values[static_cast<std::size_t>(id)].shape;
}

bool is_parameter(const plan::Plan& plan, plan::ValueId id) {
  return plan.values[static_cast<std::size_t>(id)].parameter.has_value();
}

}  // namespace

std::vector<BenchCase> wkv_cases(const std::vector<std::int64_t>& tokens, std::int64_t channels) {
  std::vector<BenchCase> out;
  for (const std::int64_t count : tokens) {
    const auto arrays = std::make_shared<WkvArrays>(count, channels);
    for (const kernels::WkvMode mode :
         {kernels::WkvMode::exact, kernels::WkvMode::released32, kernels::WkvMode::released16}) {
      const plan::Plan plan = wkv_plan(count, channels, mode);
      const plan::Operation& op = plan.operations.front();
      const std::string name = concat("bi-WKV ", net::to_string(mode), " T = ", count);
      out.push_back({.group = "bi-WKV",
                     .name = name,
                     .pass = "forward",
                     .work = {measure::forward_work(plan, op)},
                     .run = [arrays, mode] {
                       kernels::bi_wkv_forward<float>(arrays->shape, mode, arrays->input(),
                                                      arrays->y.data(), arrays->forward_room(mode));
                     }});
      out.push_back({.group = "bi-WKV",
                     .name = name,
                     .pass = "backward",
                     .work = measure::backward_work(plan, op),
                     .run = [arrays, mode] {
                       kernels::bi_wkv_backward<float>(arrays->shape, mode, arrays->input(),
                                                       arrays->grad_y.data(),
                                                       {.decay = arrays->grad_decay.data(),
                                                        .first = arrays->grad_first.data(),
                                                        .key = arrays->grad_key.data(),
                                                        .value = arrays->grad_value.data()},
                                                       arrays->backward_room(mode));
                     }});
    }
  }
  return out;
}

std::string operation_name(const plan::Plan& plan, const plan::Operation& op) {
  std::string out = concat(op.type->name, " ", shape_text(shape_of(plan, op.inputs[0])));
  if (op.multiply_adds > 0) return concat(out, " by ", shape_text(shape_of(plan, op.inputs[1])));
  const Shape& to = shape_of(plan, op.output());
  if (to != shape_of(plan, op.inputs[0])) out += concat(" to ", shape_text(to));
  return out;
}

std::vector<OperationUse> distinct_operations(const plan::Plan& plan) {
  std::vector<OperationUse> out;
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const plan::Operation& op = plan.operations[i];
    if (measure::forward_work(plan, op).bytes == 0) continue;
    const std::string name = operation_name(plan, op);
    const auto known = std::find_if(out.begin(), out.end(),
                                    [&](const OperationUse& use) { return use.name == name; });
    if (known == out.end()) {
      out.push_back({.index = i, .name = name, .count = 1});
    } else {
      ++known->count;
    }
  }
  return out;
}

std::vector<at::Tensor> operation_inputs(const plan::Plan& plan, const plan::Operation& op,
                                         at::MemoryFormat format) {
  const std::vector<bool> with_gradient = measure::gradient_values(plan);
  std::vector<at::Tensor> out;
  for (const plan::ValueId id : op.inputs) {
    // Positive, so that a variance may be one of them.
    at::Tensor values = at::rand(shape_of(plan, id)) + 0.01;
    if (values.dim() == 4 && !is_parameter(plan, id)) values = values.contiguous(format);
    out.push_back(values.requires_grad_(with_gradient[static_cast<std::size_t>(id)]));
  }
  return out;
}

}  // namespace medurwkv::bench
