// What happens when in a run: batches, steps and epochs, the rate of each step, when the encoder is
// freed and when the run ends early. Relies on the standard library alone.
#pragma once

#include <cstdint>
#include <string>

namespace medurwkv::train {

/// How the learning rate rises and falls.
struct RateCurve {
  double base = 0;
  std::int64_t total = 1;   ///< steps
  std::int64_t warmup = 0;  ///< steps of its linear rise
  bool cosine = false;      ///< (1 + cos(pi step / total)) / 2, else (1 - step / total)^0.9
  double least = 0;         ///< share of the base where the curve ends
};

/// base min(1, (step + 1) / warmup) (least + (1 - least) curve), for steps 0 .. total - 1.
double learning_rate(const RateCurve& curve, std::int64_t step);

/// Factor of the rate of one tensor of a network whose encoder has `depth` blocks and starts from
/// published weights: decay^(depth - 1 - i) in block i, decay^depth in patch and position
/// embedding, 1 elsewhere. Source: layer-wise rate decay of BEiT (Bao et al. 2022).
double rate_factor(const std::string& name, std::int64_t depth, double decay);

/// Batches make epochs; the gradients of `accumulate` batches make one step, the last step of an
/// epoch that is one pass takes what is left.
class Schedule {
 public:
  struct Length {
    std::int64_t samples = 1, batch = 1, accumulate = 1, epochs = 1;
    std::int64_t epoch_steps = 0;  ///< 0: an epoch is one pass over the samples
  };
  explicit Schedule(const Length& length);

  [[nodiscard]] std::int64_t batches_per_epoch() const { return batches_; }
  [[nodiscard]] std::int64_t steps_per_epoch() const {
    return (batches_ + accumulate_ - 1) / accumulate_;
  }
  [[nodiscard]] std::int64_t total_batches() const { return epochs_ * batches_; }
  [[nodiscard]] std::int64_t total_steps() const { return epochs_ * steps_per_epoch(); }
  /// The first batch of step `step`, both counted from 0 over the run; for total_steps(), the
  /// number of batches.
  [[nodiscard]] std::int64_t first_batch(std::int64_t step) const;
  /// How many batches step `step` takes.
  [[nodiscard]] std::int64_t batches_of(std::int64_t step) const {
    return first_batch(step + 1) - first_batch(step);
  }

 private:
  std::int64_t batches_, accumulate_, epochs_;
};

/// Whether a run whose best epoch is `best` ends after `epoch` with `patience` (0: never).
bool ends_early(std::int64_t epoch, std::int64_t best, std::int64_t patience);

/// Decay of the moving average of the weights at its update number `updates` (from 0):
/// min(decay, (1 + updates) / (10 + updates)), so that the start values are soon forgotten.
double average_decay(double decay, std::int64_t updates);

}  // namespace medurwkv::train
