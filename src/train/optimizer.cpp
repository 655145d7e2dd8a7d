#include "train/optimizer.h"

#include <cmath>

#include "kernels/pointwise.h"

namespace medurwkv::train {

AdamWSlot& AdamW::add(const std::string& name, const at::Tensor& parameter, double weight_decay) {
  slots_.push_back(
      {.name = name, .parameter = parameter, .weight_decay = weight_decay, .moment1 = {}});
  return slots_.back();
}

namespace {

/// The formula in LibTorch's operations, on any device.
void update_composed(const kernels::AdamWUpdate<double>& by, const at::Tensor& gradient,
                     AdamWSlot& slot) {
  slot.moment1.mul_(by.beta1).add_(gradient, by.rest1);
  slot.moment2.mul_(by.beta2).addcmul_(gradient, gradient, by.rest2);
  const at::Tensor divisor = slot.moment2.sqrt().mul_(by.root_scale).add_(by.epsilon);
  slot.parameter.mul_(by.keep).addcdiv_(slot.moment1, divisor, -by.rate);
}

/// The same in one pass over memory, for tensors whose numbers lie in the same order.
template <class Real>
void update_in_one_pass(const kernels::AdamWUpdate<double>& by, const at::Tensor& gradient,
                        AdamWSlot& slot) {
  const auto number = [](double x) { return static_cast<Real>(x); };
  const kernels::AdamWUpdate<Real> rounded{.beta1 = number(by.beta1),
                                           .beta2 = number(by.beta2),
                                           .rest1 = number(by.rest1),
                                           .rest2 = number(by.rest2),
                                           .keep = number(by.keep),
                                           .rate = number(by.rate),
                                           .root_scale = number(by.root_scale),
                                           .epsilon = number(by.epsilon)};
  kernels::adamw(rounded, slot.parameter.numel(), gradient.data_ptr<Real>(),
                 slot.parameter.data_ptr<Real>(), slot.moment1.data_ptr<Real>(),
                 slot.moment2.data_ptr<Real>());
}

void update(const kernels::AdamWUpdate<double>& by, AdamWSlot& slot) {
  const at::Tensor& parameter = slot.parameter;
  if (!parameter.is_cpu() || !parameter.is_non_overlapping_and_dense() ||
      slot.moment1.strides() != parameter.strides() ||
      slot.moment2.strides() != parameter.strides()) {
    return update_composed(by, parameter.grad(), slot);
  }
  at::Tensor gradient = parameter.grad();
  if (gradient.strides() != parameter.strides()) {
    gradient = at::empty_like(slot.moment1).copy_(gradient);
  }
  if (parameter.scalar_type() == at::kFloat) {
    update_in_one_pass<float>(by, gradient, slot);
  } else if (parameter.scalar_type() == at::kDouble) {
    update_in_one_pass<double>(by, gradient, slot);
  } else {
    update_composed(by, gradient, slot);
  }
}

}  // namespace

void AdamW::step(double rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (AdamWSlot& slot : slots_) {
    if (!slot.parameter.grad().defined()) continue;
    if (!slot.moment1.defined()) {
      slot.moment1 = at::zeros_like(slot.parameter, at::TensorOptions().requires_grad(false));
      slot.moment2 = at::zeros_like(slot.moment1);
    }
    const auto steps = static_cast<double>(steps_ - slot.first_step);
    const double correction1 = 1 - std::pow(options_.beta1, steps);
    const double correction2 = 1 - std::pow(options_.beta2, steps);
    const double own_rate = rate * slot.rate_factor;
    update({.beta1 = options_.beta1,
            .beta2 = options_.beta2,
            .rest1 = 1 - options_.beta1,
            .rest2 = 1 - options_.beta2,
            .keep = 1 - own_rate * slot.weight_decay,
            .rate = own_rate / correction1,
            .root_scale = 1 / std::sqrt(correction2),
            .epsilon = options_.epsilon},
           slot);
  }
}

void AdamW::zero_gradients() {
  for (AdamWSlot& slot : slots_) slot.parameter.mutable_grad().reset();
}

double clip_gradients(std::vector<AdamWSlot>& slots, double limit) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> norms;
  for (const AdamWSlot& slot : slots) {
    if (slot.parameter.grad().defined()) norms.push_back(slot.parameter.grad().norm());
  }
  if (norms.empty()) return 0;
  const double norm = at::stack(norms).norm().item().toDouble();
  if (norm > limit) {
    for (AdamWSlot& slot : slots) {
      if (slot.parameter.grad().defined())
        slot.parameter.mutable_grad().mul_(limit / (norm + 1e-6));
    }
  }
  return norm;
}

}  // namespace medurwkv::train
