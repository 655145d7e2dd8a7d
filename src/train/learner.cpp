#include "train/learner.h"

#include <chrono>
#include <cmath>
#include <utility>

#include "core/model_description.h"
#include "core/text.h"
#include "plan/plan.h"
#include "torch/torch_ops.h"
#include "train/run/schedule.h"

namespace medurwkv::train {
namespace {

using net::Grid;
using net::ParameterSpec;

/// Heads of deep supervision stand on the decoder's stages at strides 16 and 8. Their weights in
/// the loss halve from stage to stage. Source: nnU-Net (Isensee et al. 2021).
constexpr std::size_t supervised_stages = 2;

std::string head_name(std::size_t stage, const char* leaf) {
  return concat("deep_supervision.", stage, ".", leaf);
}

std::vector<ParameterSpec> trained_specs(const Config& config, const net::NetworkConfig& network) {
  std::vector<ParameterSpec> out = plan::parameters_of(network);
  if (!config.loss.deep_supervision) return out;
  for (std::size_t stage = 0; stage < supervised_stages; ++stage) {
    out.push_back({.name = head_name(stage, "weight"),
                   .shape = {network.classes, network.encoder.width >> stage},
                   .init = net::Init::linear_normal});
    out.push_back({.name = head_name(stage, "bias"), .shape = {network.classes}});
  }
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

std::int64_t padded(std::int64_t side) {
  return (side + 31) / 32 * 32;
}

}  // namespace

LossOptions loss_options(const Config& config, std::int64_t classes) {
  const Config::Loss& loss = config.loss;
  return {.weights = {loss.cross_entropy, loss.dice, loss.focal, loss.tversky, loss.boundary},
          .class_weights = loss.class_weights,
          .focal_gamma = loss.focal_gamma,
          .tversky_alpha = loss.tversky_alpha,
          .tversky_beta = loss.tversky_beta,
          .regions = regions_of(config, classes)};
}

Learner::Learner(const Config& config, const net::NetworkConfig& network, LossOptions loss,
                 const at::Device& device, at::ScalarType type)
    : config_(config),
      network_(network),
      loss_(std::move(loss)),
      store_(trained_specs(config, network), config.run.seed, type, device),
      optimizer_({.beta1 = config.optimizer.beta1, .beta2 = config.optimizer.beta2}) {
  for (const ParameterSpec& spec : store_.specs()) {
    if (spec.buffer) continue;
    optimizer_.add(spec.name, store_.at(spec.name),
                   spec.decays() ? config.optimizer.weight_decay : 0);
  }
  if (config.optimizer.ema > 0) {
    average_.emplace(plan::parameters_of(network), std::nullopt, type, device);
    start_average();
  }
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

at::Tensor Learner::stage_logits(const at::Tensor& tokens, std::size_t stage,
                                 const at::Tensor& labels) {
  const std::int64_t stride = 16 >> stage;
  const Grid grid{padded(labels.size(1)) / stride, padded(labels.size(2)) / stride};
  const at::Tensor logits = at::linear(tokens, store_.at(head_name(stage, "weight")),
                                       store_.at(head_name(stage, "bias")));
  return torch_backend::TorchOps::to_map(logits, grid);
}

Loss Learner::loss_of(const net::NetworkOutput<at::Tensor>& out, const at::Tensor& labels) {
  Loss loss = segmentation_loss(out.logits, labels, loss_);
  if (!config_.loss.deep_supervision) return loss;
  // The label in the middle of each token's pixels; beyond the image nothing counts.
  const std::int64_t height = labels.size(1);
  const std::int64_t width = labels.size(2);
  const at::Tensor whole = at::constant_pad_nd(
      labels, {0, padded(width) - width, 0, padded(height) - height}, loss_.ignore_label);
  double weight = 1;
  double sum = 1;
  for (std::size_t up = 0; up < supervised_stages; ++up) {
    const std::size_t stage = supervised_stages - 1 - up;
    const std::int64_t stride = 16 >> stage;
    const at::Tensor coarse = whole.slice(1, stride / 2, c10::nullopt, stride)
                                  .slice(2, stride / 2, c10::nullopt, stride)
                                  .contiguous();
    weight /= 2;
    sum += weight;
    const Loss of_stage =
        segmentation_loss(stage_logits(out.decoder[stage], stage, labels), coarse, loss_);
    loss.total = loss.total + weight * of_stage.total;
  }
  loss.total = loss.total / sum;
  return loss;
}

BatchLoss Learner::learn(const Batch& batch, std::int64_t index, double share) {
  const torch_backend::RunMode mode{.training = true,
                                    .seed = config_.run.seed,
                                    .step = static_cast<std::uint64_t>(index),
                                    .frozen = frozen_ ? &*frozen_ : nullptr,
                                    .bfloat16 = config_.run.precision == "bfloat16",
                                    .group = group_,
                                    .first_sample = batch.first,
                                    .counts = batch.counts};
  if (group_ != nullptr) {
    loss_.gather = [this, weight = batch.counts ? 1.0 : 0.0](const at::Tensor& sums) {
      return group_->differentiable_sum(sums * weight);
    };
  }
  const at::Device device = store_.device();
  net::NetworkOutput<at::Tensor> out;
  {
    const Stopwatch watch(seconds_.forward);
    out = torch_backend::run_network(network_, store_, mode, batch.images.to(device));
  }
  BatchLoss result;
  Loss loss;
  {
    const Stopwatch watch(seconds_.loss);
    loss = loss_of(out, batch.labels.to(device));
    result.total = loss.total.item().toDouble();
    for (std::size_t i = 0; i < result.parts.size(); ++i) {
      if (loss.parts[i].defined()) result.parts[i] = loss.parts[i].item().toDouble();
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
