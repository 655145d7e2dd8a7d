#include "train/run/schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <string_view>

namespace medurwkv::train {

double learning_rate(const RateCurve& curve, std::int64_t step) {
  const auto s = static_cast<double>(step);
  const double rise =
      curve.warmup > 0 ? std::min(1.0, (s + 1) / static_cast<double>(curve.warmup)) : 1.0;
  const double done = s / static_cast<double>(curve.total);
  const double fall =
      curve.cosine ? (1 + std::cos(std::numbers::pi * done)) / 2 : std::pow(1 - done, 0.9);
  if (curve.least == 0) return curve.base * rise * fall;  // to the bits of earlier versions
  return curve.base * rise * (curve.least + (1 - curve.least) * fall);
}

double rate_factor(const std::string& name, std::int64_t depth, double decay) {
  constexpr std::string_view blocks = "encoder.layers.";
  if (name.starts_with(blocks)) {
    std::int64_t block = 0;
    std::from_chars(name.data() + blocks.size(), name.data() + name.size(), block);
    return std::pow(decay, static_cast<double>(depth - 1 - block));
  }
  if (name.starts_with("encoder.patch_embed.") || name == "encoder.pos_embed") {
    return std::pow(decay, static_cast<double>(depth));
  }
  return 1;
}

Schedule::Schedule(const Length& length)
    : batches_(length.epoch_steps > 0 ? length.epoch_steps * length.accumulate
                                      : (length.samples + length.batch - 1) / length.batch),
      accumulate_(length.accumulate),
      epochs_(length.epochs) {}

std::int64_t Schedule::first_batch(std::int64_t step) const {
  const std::int64_t epoch = step / steps_per_epoch();
  return epoch * batches_ + (step % steps_per_epoch()) * accumulate_;
}

bool ends_early(std::int64_t epoch, std::int64_t best, std::int64_t patience) {
  return patience > 0 && epoch - best >= patience;
}

double average_decay(double decay, std::int64_t updates) {
  const auto n = static_cast<double>(updates);
  return std::min(decay, (1 + n) / (10 + n));
}

}  // namespace medurwkv::train
