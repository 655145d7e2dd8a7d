#include "train/learner.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "plan/plan.h"
#include "torch/torch_ops.h"
#include "train/run/schedule.h"

namespace medurwkv::train {
namespace {

using net::ParameterSpec;

std::vector<ParameterSpec> trained_specs(const net::NetworkConfig& network,
                                         const Objective& objective) {
  std::vector<ParameterSpec> out = plan::parameters_of(network);
  const std::vector<ParameterSpec> own = objective.own_parameters();
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  Stopwatch(Stopwatch&&) = delete;
  Stopwatch& operator=(Stopwatch&&) = delete;
  ~Stopwatch() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

Learner::Learner(const Config& config, const net::NetworkConfig& network,
                 const Objective& objective, const at::Device& device, at::ScalarType type,
                 Begin begin)
    : config_(config),
      network_(network),
      objective_(objective),
      store_(trained_specs(network, objective), std::nullopt, type, device),
      optimizer_({.beta1 = config.optimizer.beta1, .beta2 = config.optimizer.beta2}) {
  for (const ParameterSpec& spec : store_.specs()) {
    if (spec.buffer) continue;
    optimizer_.add(spec.name, store_.at(spec.name),
                   spec.decays() ? config.optimizer.weight_decay : 0);
  }
  if (config.optimizer.ema > 0) {
    average_.emplace(plan::parameters_of(network), std::nullopt, type, device);
  }
  if (begin == Begin::started) start();
}

void Learner::start() {
  for (const ParameterSpec& spec : store_.specs()) store_.start(spec.name, config_.run.seed);
  start_average();
}

void Learner::start(const std::vector<std::string>& names) {
  for (const std::string& name : names) store_.start(name, config_.run.seed);
}

void Learner::start_average() {
  if (!average_) return;
  const at::NoGradGuard no_grad;
  for (const ParameterSpec& spec : average_->specs()) {
    average_->at(spec.name).copy_(store_.at(spec.name));
  }
}

void Learner::set_published(std::vector<std::string> tensors, std::int64_t freed_at) {
  published_ = std::move(tensors);
  freed_at_ = freed_at;
  const std::set<std::string> waiting(published_.begin(), published_.end());
  for (AdamWSlot& slot : optimizer_.slots()) {
    slot.rate_factor = rate_factor(slot.name, network_.encoder.depth(), config_.encoder.rate_decay);
    if (waiting.contains(slot.name)) slot.first_step = freed_at;
  }
}

void Learner::begin_step(std::int64_t step) {
  const bool waiting = !published_.empty() && step < freed_at_;
  if (waiting == frozen_.has_value()) return;
  if (waiting) {
    frozen_.emplace(store_, published_);
  } else {
    frozen_.reset();
  }
}

BatchLoss Learner::learn(Batch batch, std::int64_t index, double share) {
  const torch_backend::RunMode mode{.training = true,
                                    .seed = config_.run.seed,
                                    .step = static_cast<std::uint64_t>(index),
                                    .frozen = frozen_ ? &*frozen_ : nullptr,
                                    .bfloat16 = config_.run.precision == "bfloat16",
                                    .group = group_,
                                    .first_sample = batch.first,
                                    .counts = batch.counts};
  const Gather gather = [this, weight = batch.counts ? 1.0 : 0.0](const at::Tensor& sums) {
    return group_ == nullptr ? sums : group_->differentiable_sum(sums * weight);
  };
  const at::Device device = store_.device();
  batch.images = batch.images.to(device);
  for (at::Tensor& target : batch.targets) target = target.to(device);
  net::NetworkOutput<at::Tensor> out;
  {
    const Stopwatch watch(seconds_.forward);
    out = objective_.forward(network_, store_, mode, batch);
  }
  BatchLoss result;
  Loss loss;
  {
    const Stopwatch watch(seconds_.loss);
    loss = objective_.loss(store_, out, batch, gather);
    result.total = loss.total.item().toDouble();
    for (const at::Tensor& part : loss.parts) {
      result.parts.push_back(part.defined() ? part.item().toDouble() : 0);
    }
  }
  if (std::isfinite(result.total)) {
    const Stopwatch watch(seconds_.backward);
    out = {};
    (share == 1 ? loss.total : loss.total * share).backward();
    loss = {};  // the graph goes with it
  }
  return result;
}

double Learner::update(double rate) {
  const Stopwatch watch(seconds_.update);
  average_gradients();
  const double norm = clip_gradients(optimizer_.slots(), config_.optimizer.clip_norm);
  if (!std::isfinite(norm)) return norm;
  optimizer_.step(rate);
  optimizer_.zero_gradients();
  if (average_) follow();
  return norm;
}

// Every rank's loss is that of the whole batch, and its gradient went through the sums of all ranks
// (ProcessGroup::differentiable_sum): summed up, the gradients are those of `world` such losses.
void Learner::average_gradients() {
  if (group_ == nullptr) return;
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const AdamWSlot& slot : optimizer_.slots()) {
    if (slot.parameter.grad().defined()) gradients.push_back(slot.parameter.grad());
  }
  if (gradients.empty()) return;
  std::vector<at::Tensor> flat;
  flat.reserve(gradients.size());
  for (const at::Tensor& gradient : gradients) flat.push_back(gradient.reshape(-1));
  at::Tensor all = at::cat(flat);
  group_->sum(all);
  all.div_(group_->world());
  std::int64_t start = 0;
  for (const at::Tensor& gradient : gradients) {
    gradient.copy_(all.narrow(0, start, gradient.numel()).view_as(gradient));
    start += gradient.numel();
  }
}

void Learner::follow() {
  const at::NoGradGuard no_grad;
  const double decay = average_decay(config_.optimizer.ema, optimizer_.steps() - 1);
  for (const ParameterSpec& spec : average_->specs()) {
    const at::Tensor& now = store_.at(spec.name);
    if (spec.integer) {
      average_->at(spec.name).copy_(now);
    } else {
      average_->at(spec.name).lerp_(now, 1 - decay);
    }
  }
}

}  // namespace medurwkv::train
