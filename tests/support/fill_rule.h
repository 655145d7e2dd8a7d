// The fill rule of the golden files: deterministic values by tensor name, so that networks can be
// tested without storing their weights. Written out in tests/golden/data/README.md.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "core/shape.h"

namespace medurwkv::test {

/// r(name, i) in [0, 1).
inline double fill_uniform(const std::string& name, std::uint64_t index) {
  return static_cast<double>(mix64(fnv1a64(name) + index) >> 40) * 0x1p-24;
}

/// Mean and amplitude by the last part of the name and the rank.
inline std::pair<double, double> fill_statistics(const std::string& name, const Shape& shape) {
  const std::string leaf = name.substr(name.rfind('.') + 1);
  if (name == "input") return {0, 1.7};
  if (leaf == "running_mean") return {0, 0.1};
  if (leaf == "running_var") return {1, 0.2};
  if (leaf == "num_batches_tracked") return {0, 0};
  if (leaf == "spatial_decay") return {0, 3};
  if (leaf == "spatial_first") return {0, 1};
  if (leaf.starts_with("spatial_mix_")) return {0.5, 0.5};
  if (leaf == "gamma" || leaf == "gamma1" || leaf == "gamma2") return {0.5, 0.2};
  if (leaf == "pos_embed" || leaf == "level_embed") return {0, 0.1};
  if (name.ends_with("sampling_offsets.bias")) return {0, 2};
  if (leaf == "bias") return {0, 0.1};
  if (shape.size() == 1) return {1, 0.1};
  const std::int64_t fan_in = element_count(shape) / shape[0];
  return {0, std::sqrt(3.0 / static_cast<double>(fan_in))};
}

/// All values of tensor `name`, rounded to float32 as the rule says.
inline std::vector<double> fill_values(const std::string& name, const Shape& shape) {
  const auto [mean, amplitude] = fill_statistics(name, shape);
  std::vector<double> out(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double r = fill_uniform(name, i);
    out[i] = static_cast<double>(static_cast<float>(mean + (2 * r - 1) * amplitude));
  }
  return out;
}

}  // namespace medurwkv::test
