#include "measure/roofline.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include <nlohmann/json.hpp>

namespace medurwkv::measure {
namespace {

using plan::Operation;
using plan::OpKind;
using plan::Plan;
using plan::ValueId;

constexpr double bytes_per_element = 4;
constexpr double bytes_per_label = 8;

bool is_one_of(OpKind kind, std::initializer_list<OpKind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

bool is_view(OpKind kind) {
  return is_one_of(kind,
                   {OpKind::to_tokens, OpKind::to_map, OpKind::row, OpKind::slice, OpKind::crop});
}

/// Whether the gradients depend on the inputs' (or the output's, which is as large) values.
bool needs_values(OpKind kind) {
  return !is_one_of(kind, {OpKind::add, OpKind::subtract, OpKind::shift, OpKind::concat,
                           OpKind::resize, OpKind::expand, OpKind::mean_tokens, OpKind::pad_edge});
}

double bytes_of(const Plan& plan, ValueId id) {
  const Shape& shape = plan.values[static_cast<std::size_t>(id)].shape;
  return bytes_per_element * static_cast<double>(element_count(shape));
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
  if (op.kind != OpKind::deform_attn) return 2 * static_cast<double>(op.multiply_adds);
  // Per sample: four products with the corners' weights and their sum, over a head's channels; the
  // weights themselves are few.
  const auto& where = std::get<net::DeformableAttention>(op.detail);
  const auto samples = static_cast<double>(where.points) * static_cast<double>(where.levels.size());
  return 8 * samples * bytes_of(plan, op.output) / bytes_per_element;
}

/// Whether an input's gradient is the output's own, in the same memory.
bool passes_on(const Plan& plan, const Operation& op, ValueId input) {
  if (op.kind == OpKind::scale_add) return input == op.inputs.front();
  return is_one_of(op.kind, {OpKind::add, OpKind::subtract}) &&
         bytes_of(plan, input) == bytes_of(plan, op.output);
}

std::vector<Work> gradients(const Plan& plan, const Operation& op,
                            const std::vector<bool>& with_gradient) {
  if (is_view(op.kind)) return {};
  std::vector<ValueId> written = op.inputs;
  std::erase_if(written, [&](ValueId id) {
    return !with_gradient[static_cast<std::size_t>(id)] || passes_on(plan, op, id);
  });
  if (written.empty()) return {};
  Work work{.what = to_string(op.kind), .flops = forward_flops(plan, op), .bytes = 0};
  if (op.multiply_adds == 0) {
    work.flops *= 2;
    work.bytes = bytes_of(plan, op.output) + bytes_of(plan, written) +
                 (needs_values(op.kind) ? bytes_of(plan, op.inputs) : 0);
    return {work};
  }
  // A product for the input's gradient, one for those of weight and bias; both touch all three.
  std::vector<Work> products;
  work.bytes = bytes_of(plan, {op.inputs[0], op.inputs[1], op.output});
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

Work forward_work(const Plan& plan, const Operation& op) {
  if (is_view(op.kind)) return {.what = to_string(op.kind)};
  return {.what = to_string(op.kind),
          .flops = forward_flops(plan, op),
          .bytes = bytes_of(plan, op.inputs) + bytes_of(plan, op.output)};
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
    out[static_cast<std::size_t>(op.output)] =
        std::any_of(op.inputs.begin(), op.inputs.end(),
                    [&](ValueId id) { return out[static_cast<std::size_t>(id)]; });
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
  const auto classes =
      static_cast<double>(plan.values[static_cast<std::size_t>(output)].shape.at(1));
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
