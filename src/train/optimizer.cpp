#include "train/optimizer.h"

#include <cmath>

namespace medurwkv::train {

AdamWSlot& AdamW::add(const std::string& name, const at::Tensor& parameter, double weight_decay) {
  slots_.push_back(
      {.name = name, .parameter = parameter, .weight_decay = weight_decay, .moment1 = {}});
  return slots_.back();
}

void AdamW::step(double rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  for (AdamWSlot& slot : slots_) {
    const at::Tensor& gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    if (!slot.moment1.defined()) {
      slot.moment1 = at::zeros_like(slot.parameter, at::TensorOptions().requires_grad(false));
      slot.moment2 = at::zeros_like(slot.moment1);
    }
    const auto steps = static_cast<double>(steps_ - slot.first_step);
    const double correction1 = 1 - std::pow(options_.beta1, steps);
    const double correction2 = 1 - std::pow(options_.beta2, steps);
    const double own_rate = rate * slot.rate_factor;
    slot.parameter.mul_(1 - own_rate * slot.weight_decay);
    slot.moment1.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
    slot.moment2.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
    const at::Tensor divisor =
        (slot.moment2.sqrt() / std::sqrt(correction2)).add_(options_.epsilon);
    slot.parameter.addcdiv_(slot.moment1, divisor, -own_rate / correction1);
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
