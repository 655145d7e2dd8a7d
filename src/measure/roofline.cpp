#include "measure/roofline.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace medurwkv::measure {
namespace {

using plan::Operation;
using plan::Plan;
using plan::ValueId;

constexpr double bytes_per_element = 4;
constexpr double bytes_per_label = 8;

double bytes_of(const Plan& plan, ValueId id) {
  return bytes_per_element * static_cast<double>(element_count(plan.shape(id)));
}

/// Each value counted once.
double bytes_of(const Plan& plan, const std::vector<ValueId>& values) {
  double sum = 0;
  for (const ValueId id : std::set<ValueId>(values.begin(), values.end())) {
    sum += bytes_of(plan, id);
  }
  return sum;
}

double forward_flops(const Plan& plan, const Operation& op) {
  if (op.type->flops != nullptr) return op.type->flops(plan.shapes(op.outputs), op.detail);
  return 2 * static_cast<double>(op.multiply_adds);
}

/// Whether an input's gradient is the output's own, in the same memory.
bool passes_on(const Plan& plan, const Operation& op, ValueId input) {
  switch (op.type->gradient.passes) {
    case plan::Passes::none: return false;
    case plan::Passes::first: return input == op.inputs.front();
    // One that is repeated is summed over its repetitions.
    case plan::Passes::all: return bytes_of(plan, input) == bytes_of(plan, op.output());
  }
  return false;
}

std::vector<Work> gradients(const Plan& plan, const Operation& op,
                            const std::vector<bool>& with_gradient) {
  if (op.type->view) return {};
  std::vector<ValueId> written = op.inputs;
  std::erase_if(written, [&](ValueId id) {
    return !with_gradient[static_cast<std::size_t>(id)] || passes_on(plan, op, id);
  });
  if (written.empty()) return {};
  Work work{.what = op.type->name, .flops = forward_flops(plan, op), .bytes = 0};
  if (op.multiply_adds == 0) {
    work.flops *= 2;
    work.bytes = bytes_of(plan, op.outputs) + bytes_of(plan, written) +
                 (op.type->gradient.keeps != plan::Keeps::nothing ? bytes_of(plan, op.inputs) : 0);
    return {work};
  }
  // A product for the input's gradient, one for those of weight and bias; both touch all three.
  std::vector<Work> products;
  work.bytes = bytes_of(plan, {op.inputs[0], op.inputs[1], op.output()});
  if (written.front() == op.inputs[0]) products.push_back(work);
  if (op.inputs.size() > 2) work.bytes += bytes_of(plan, op.inputs[2]);
  products.push_back(work);
  return products;
}

}  // namespace

double roofline_seconds(const std::vector<Work>& works, const Limits& limits) {
  double sum = 0;
  for (const Work& work : works) {
    sum += std::max(work.flops / limits.flops_per_second, work.bytes / limits.bytes_per_second);
  }
  return sum;
}

Figures figures(const std::vector<Work>& works, const Times& times,
                const std::vector<Limits>& limits) {
  Work all;
  for (const Work& work : works) {
    all.flops += work.flops;
    all.bytes += work.bytes;
  }
  std::vector<double> bounds;
  std::vector<double> shares;
  for (std::size_t round = 0; round < limits.size(); ++round) {
    bounds.push_back(roofline_seconds(works, limits[round]));
    shares.push_back(bounds.back() / times.seconds[round]);
  }
  return {.seconds = estimate(times.seconds),
          .share = estimate(shares),
          .gflop = 1e-9 * all.flops,
          .gbyte = 1e-9 * all.bytes,
          .bound_seconds = estimate(bounds).median};
}

void to_json(nlohmann::json& out, const Figures& figures) {
  out = {{"seconds", figures.seconds},
         {"share", figures.share},
         {"gflop", figures.gflop},
         {"gbyte", figures.gbyte},
         {"bound_seconds", figures.bound_seconds}};
}

BesideLimits measure_beside_limits(const std::function<void()>& run, const std::vector<Work>& works,
                                   const MeasureOptions& options) {
  MachineLoops loops;
  std::vector<Contender> contenders = loops.contenders();
  contenders.push_back({.name = "run", .run = run});
  const std::vector<Times> times = measure_in_turn(contenders, options);
  return {.limits = loops.speeds(times),
          .figures = figures(works, times.back(), loops.limits(times))};
}

Work forward_work(const Plan& plan, const Operation& op) {
  if (op.type->view) return {.what = op.type->name};
  return {.what = op.type->name,
          .flops = forward_flops(plan, op),
          .bytes = bytes_of(plan, op.inputs) + bytes_of(plan, op.outputs)};
}

std::vector<Work> backward_work(const Plan& plan, const Operation& op) {
  return gradients(plan, op, gradient_values(plan));
}

std::vector<bool> gradient_values(const Plan& plan) {
  std::vector<bool> out;
  for (const plan::Value& value : plan.values) {
    out.push_back(value.parameter && !plan.parameters[*value.parameter].buffer);
  }
  for (const Operation& op : plan.operations) {
    const bool trained = std::any_of(op.inputs.begin(), op.inputs.end(),
                                     [&](ValueId id) { return out[static_cast<std::size_t>(id)]; });
    for (const ValueId id : op.outputs) out[static_cast<std::size_t>(id)] = trained;
  }
  return out;
}

std::vector<Work> network_work(const Plan& plan, Extent extent) {
  std::vector<Work> works;
  for (const Operation& op : plan.operations) works.push_back(forward_work(plan, op));
  if (extent == Extent::forward) return works;
  const std::vector<bool> with_gradient = gradient_values(plan);
  for (const Operation& op : plan.operations) {
    for (const Work& work : gradients(plan, op, with_gradient)) works.push_back(work);
  }
  if (extent == Extent::forward_backward) return works;
  const ValueId output = plan.outputs.front();
  const double logits = bytes_of(plan, output);
  const auto classes = static_cast<double>(plan.shape(output).at(1));
  const double labels = bytes_per_label / bytes_per_element * logits / classes;
  works.push_back({.what = "loss", .bytes = logits + labels});
  works.push_back({.what = "loss", .bytes = logits + labels + logits});
  double parameters = 0;
  for (const net::ParameterSpec& spec : plan.parameters) {
    if (!spec.buffer) parameters += static_cast<double>(element_count(spec.shape));
  }
  works.push_back({.what = "AdamW", .bytes = 7 * bytes_per_element * parameters});
  return works;
}

}  // namespace medurwkv::measure
