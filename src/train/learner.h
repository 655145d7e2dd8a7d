// The network that is being trained: weights, loss, gradients, steps, the moving average. One step
// is one or more calls of learn(), then update(). Where several processes train together they meet
// in three places: the sums of the loss (Gather), the batch normalisations (torch/torch_ops.h), and
// the gradients, at the beginning of update(). Relies on torch, train/task/objective.h,
// train/optimizer.h, train/run/schedule.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/config.h"
#include "torch/frozen.h"
#include "torch/parameter_store.h"
#include "torch/process_group.h"
#include "train/optimizer.h"
#include "train/run/config.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// Seconds of what a step cannot do without.
struct ComputeSeconds {
  double forward = 0, loss = 0, backward = 0, update = 0;
  [[nodiscard]] double sum() const { return forward + loss + backward + update; }
};

/// What a batch cost.
struct BatchLoss {
  double total = 0;
  std::vector<double> parts;  ///< 0 for what is not computed
};

class Learner {
 public:
  /// Whether the tensors have their start values at once, or none before start() or a file.
  enum class Begin { started, empty };

  /// The objective outlives the learner.
  Learner(const Config& config, const net::NetworkConfig& network, const Objective& objective,
          const at::Device& device, at::ScalarType type = at::kFloat, Begin begin = Begin::started);

  /// Gives every tensor its start values, or those of `names`.
  void start();
  void start(const std::vector<std::string>& names);

  /// From now on this process learns its part of every batch, the rest is learned by the others of
  /// the group, which outlives the learner. All ranks call learn() and update() together.
  void set_group(const torch_backend::ProcessGroup* group) { group_ = group; }

  /// The network's tensors and those that only training has.
  [[nodiscard]] torch_backend::ParameterStore& store() { return store_; }
  [[nodiscard]] AdamW& optimizer() { return optimizer_; }
  /// The moving average of the network's tensors; null without one.
  [[nodiscard]] torch_backend::ParameterStore* average() { return average_ ? &*average_ : nullptr; }
  /// The network's tensors as they are judged and kept: of the average where there is one.
  [[nodiscard]] const torch_backend::ParameterStore& judged() const {
    return average_ ? *average_ : store_;
  }
  /// The average starts from the weights as they are now.
  void start_average();

  /// `tensors` came from a file with published weights: they wait until step `freed_at`, then
  /// follow at the rates of rate_factor().
  void set_published(std::vector<std::string> tensors, std::int64_t freed_at);
  /// Before the first batch of `step`: freezes or frees what set_published named.
  void begin_step(std::int64_t step);

  /// Forward, loss and backward of batch number `index` of the run; its gradients are added with
  /// the weight `share`. What it gives may be not finite: then there are no gradients of it.
  BatchLoss learn(Batch batch, std::int64_t index, double share);

  /// In a group: the mean of all ranks' gradients in the place of each one's own. update() begins
  /// with it.
  void average_gradients();

  /// Clips the gradients and applies them at `rate`; the norm before. Where that is not finite
  /// nothing is changed.
  double update(double rate);

  [[nodiscard]] const ComputeSeconds& seconds() const { return seconds_; }

 private:
  void follow();

  const Config& config_;
  const net::NetworkConfig& network_;
  const Objective& objective_;
  torch_backend::ParameterStore store_;
  std::optional<torch_backend::ParameterStore> average_;
  AdamW optimizer_;
  std::vector<std::string> published_;
  std::int64_t freed_at_ = 0;
  std::optional<torch_backend::Frozen> frozen_;
  const torch_backend::ProcessGroup* group_ = nullptr;
  ComputeSeconds seconds_;
};

}  // namespace medurwkv::train
