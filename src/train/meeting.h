// How the processes of one run meet and stay together: what rank 0 starts with goes to all, and
// every step all agree on whether to go on. Relies on torch/process_group.h and train/learner.h.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "torch/process_group.h"
#include "train/learner.h"

namespace medurwkv::train {

/// This process among those that train together; alone where there is no group.
class Meeting {
 public:
  /// Alone.
  Meeting() = default;
  /// Waits for all ranks.
  Meeting(const torch_backend::Rendezvous& rendezvous, const at::Device& device);

  [[nodiscard]] int rank() const { return group_ ? group_->rank() : 0; }
  [[nodiscard]] int world() const { return group_ ? group_->world() : 1; }
  /// Whether this process writes the run's files and speaks for all.
  [[nodiscard]] bool leads() const { return rank() == 0; }
  /// Null when alone.
  [[nodiscard]] const torch_backend::ProcessGroup* group() const {
    return group_ ? &*group_ : nullptr;
  }

  // All below are collective: every rank calls them, in the same order.

  /// Rank 0's value.
  [[nodiscard]] nlohmann::json from_leader(const nlohmann::json& value) const;
  /// Rank 0's weights, moments and average into every rank's learner.
  void share(Learner& learner) const;
  /// The sum over all ranks.
  [[nodiscard]] double sum(double value) const;
  /// The largest over all ranks of small whole numbers from 0.
  [[nodiscard]] int largest(int value) const;

 private:
  void broadcast(const at::Tensor& x) const;

  std::optional<torch_backend::ProcessGroup> group_;
};

}  // namespace medurwkv::train
