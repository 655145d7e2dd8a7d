#include "plan/roofline.h"

#include <algorithm>

#include "core/error.h"

namespace medurwkv::plan {
namespace {

constexpr double bytes_per_element = 4;
constexpr double bytes_per_label = 8;

double elements(const Plan& plan, ValueId id) {
  return static_cast<double>(element_count(plan.values[static_cast<std::size_t>(id)].shape));
}

bool is_view(OpKind kind) {
  return kind == OpKind::to_tokens || kind == OpKind::to_map || kind == OpKind::row ||
         kind == OpKind::slice || kind == OpKind::crop;
}

bool is_product(OpKind kind) {
  return kind == OpKind::linear || kind == OpKind::conv2d || kind == OpKind::conv_transpose2d;
}

/// Inputs without repetition.
std::vector<ValueId> distinct(std::vector<ValueId> inputs) {
  std::sort(inputs.begin(), inputs.end());
  inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
  return inputs;
}

double sum_of(const Plan& plan, const std::vector<ValueId>& values) {
  double sum = 0;
  for (const ValueId id : values) sum += elements(plan, id);
  return sum;
}

double deform_flops(const Plan& plan, const Operation& op) {
  // Per sample: four products with the corners' weights and their sum, over a head's channels; the
  // weights themselves are few.
  const auto& where = std::get<net::DeformableAttention>(op.detail);
  const double width = elements(plan, op.output) / elements(plan, op.inputs[2]) *
                       static_cast<double>(where.levels.size()) * static_cast<double>(where.points);
  return elements(plan, op.inputs[2]) * 8 * width;
}

/// Of each element of the output; products and deformable attention are counted apart.
double flops_per_element(OpKind kind) {
  switch (kind) {
    case OpKind::relu:
    case OpKind::add:
    case OpKind::subtract:
    case OpKind::multiply:
    case OpKind::mean_tokens: return 1;
    case OpKind::batch_norm:
    case OpKind::squared_relu:
    case OpKind::scale_add: return 2;
    case OpKind::sigmoid:
    case OpKind::tanh:
    case OpKind::shift_mix: return 3;
    case OpKind::gate: return 4;
    case OpKind::gelu: return 5;
    case OpKind::layer_norm:
    case OpKind::max_pool:
    case OpKind::resize: return 8;
    // Envelope 4, three exponentials, two sums of two from both ends 8, the quotient 7.
    case OpKind::bi_wkv: return 22;
    default: return 0;
  }
}

double forward_flops(const Plan& plan, const Operation& op) {
  if (is_product(op.kind)) return 2 * static_cast<double>(op.multiply_adds);
  if (op.kind == OpKind::deform_attn) return deform_flops(plan, op);
  return flops_per_element(op.kind) * elements(plan, op.output);
}

/// Whether the gradients depend on the inputs' (or the output's, which is as large) values.
bool needs_values(OpKind kind) {
  switch (kind) {
    case OpKind::add:
    case OpKind::subtract:
    case OpKind::shift:
    case OpKind::concat:
    case OpKind::resize:
    case OpKind::expand:
    case OpKind::mean_tokens:
    case OpKind::pad_edge: return false;
    default: return true;
  }
}

/// Gradients that are the output's own, in the same memory.
bool passes_on(const Plan& plan, const Operation& op, ValueId input) {
  const bool sum = op.kind == OpKind::add || op.kind == OpKind::subtract;
  const bool first_of_scale_add = op.kind == OpKind::scale_add && input == op.inputs.front();
  return (sum && elements(plan, input) == elements(plan, op.output)) || first_of_scale_add;
}

/// Gradients of a linear map's or convolution's input, and of its weight and bias.
std::vector<Work> product_gradients(const Plan& plan, const Operation& op,
                                    const std::vector<bool>& with_gradient) {
  const double flops = forward_flops(plan, op);
  const double y = elements(plan, op.output);
  const double x = elements(plan, op.inputs[0]);
  const double weight = elements(plan, op.inputs[1]);
  const double bias = op.inputs.size() > 2 ? elements(plan, op.inputs[2]) : 0;
  const auto has = [&](ValueId id) { return with_gradient[static_cast<std::size_t>(id)]; };
  std::vector<Work> out;
  const auto product = [&] {
    return Work{
        .what = to_string(op.kind), .flops = flops, .bytes = bytes_per_element * (y + weight + x)};
  };
  if (has(op.inputs[0])) out.push_back(product());
  if (has(op.inputs[1])) {
    out.push_back(product());
    out.back().bytes += bytes_per_element * bias;
  }
  return out;
}

std::vector<Work> gradients(const Plan& plan, const Operation& op,
                            const std::vector<bool>& with_gradient) {
  if (is_view(op.kind)) return {};
  if (is_product(op.kind)) return product_gradients(plan, op, with_gradient);
  std::vector<ValueId> written;
  for (const ValueId id : distinct(op.inputs)) {
    if (with_gradient[static_cast<std::size_t>(id)] && !passes_on(plan, op, id)) {
      written.push_back(id);
    }
  }
  if (written.empty()) return {};
  double moved = elements(plan, op.output) + sum_of(plan, written);
  if (needs_values(op.kind)) moved += sum_of(plan, distinct(op.inputs));
  return {{.what = to_string(op.kind),
           .flops = 2 * forward_flops(plan, op),
           .bytes = bytes_per_element * moved}};
}

void append_loss(const Plan& plan, std::vector<Work>& works) {
  for (const ValueId output : plan.outputs) {
    const Shape& shape = plan.values[static_cast<std::size_t>(output)].shape;
    const double logits = elements(plan, output);
    const double labels = logits / static_cast<double>(shape.size() > 1 ? shape[1] : 1);
    const double read = bytes_per_element * logits + bytes_per_label * labels;
    // A softmax, a logarithm, and two sums of products.
    works.push_back({.what = "loss", .flops = 8 * logits, .bytes = read});
    works.push_back(
        {.what = "loss", .flops = 8 * logits, .bytes = read + bytes_per_element * logits});
  }
}

Work adamw_work(const Plan& plan) {
  double parameters = 0;
  for (const net::ParameterSpec& spec : plan.parameters) {
    if (!spec.buffer) parameters += static_cast<double>(element_count(spec.shape));
  }
  return {.what = "AdamW", .flops = 14 * parameters, .bytes = 7 * bytes_per_element * parameters};
}

}  // namespace

double bound_seconds(const Work& work, const Limits& limits) {
  return std::max(work.flops / limits.flops_per_second, work.bytes / limits.bytes_per_second);
}

double roofline_seconds(const std::vector<Work>& works, const Limits& limits) {
  double sum = 0;
  for (const Work& work : works) sum += bound_seconds(work, limits);
  return sum;
}

Work forward_work(const Plan& plan, const Operation& op) {
  Work out{.what = to_string(op.kind)};
  if (is_view(op.kind)) return out;
  out.flops = forward_flops(plan, op);
  out.bytes = bytes_per_element * (sum_of(plan, distinct(op.inputs)) + elements(plan, op.output));
  return out;
}

std::vector<Work> backward_work(const Plan& plan, const Operation& op) {
  return gradients(plan, op, gradient_values(plan));
}

std::vector<bool> gradient_values(const Plan& plan) {
  std::vector<bool> out(plan.values.size(), false);
  for (std::size_t i = 0; i < plan.values.size(); ++i) {
    const auto parameter = plan.values[i].parameter;
    out[i] = parameter && !plan.parameters[*parameter].buffer;
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
    for (Work& work : gradients(plan, op, with_gradient)) works.push_back(std::move(work));
  }
  if (extent == Extent::training_step) {
    append_loss(plan, works);
    works.push_back(adamw_work(plan));
  }
  return works;
}

std::vector<MatrixShape> matrix_shapes(const Plan& plan) {
  std::vector<MatrixShape> out;
  for (const Operation& op : plan.operations) {
    if (op.kind != OpKind::linear) continue;
    const Shape& weight = plan.values[static_cast<std::size_t>(op.inputs[1])].shape;
    const std::int64_t rows =
        element_count(plan.values[static_cast<std::size_t>(op.inputs[0])].shape) / weight[1];
    const MatrixShape shape{.rows = rows, .inner = weight[1], .columns = weight[0]};
    if (std::find(out.begin(), out.end(), shape) == out.end()) out.push_back(shape);
  }
  return out;
}

}  // namespace medurwkv::plan
