#include "train/run/schedule.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace medurwkv::train {

double learning_rate(double base, std::int64_t step, std::int64_t total, std::int64_t warmup) {
  const auto s = static_cast<double>(step);
  const double rise = warmup > 0 ? std::min(1.0, (s + 1) / static_cast<double>(warmup)) : 1.0;
  return base * rise * std::pow(1 - s / static_cast<double>(total), 0.9);
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
    : batches_((length.samples + length.batch - 1) / length.batch),
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
