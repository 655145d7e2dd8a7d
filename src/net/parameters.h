// Parameters by name: their shapes and start values. Relies on net/config.h and core/shape.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/shape.h"
#include "net/config.h"

namespace medurwkv::net {

/// How a parameter's start values are made (docs/architecture.md, "Start values").
enum class Init {
  zeros,
  ones,
  constant,        ///< `constant`
  linear_normal,   ///< normal(0, 0.02): a Linear's weight
  normal,          ///< normal(0, 1): level_embed
  convolution,     ///< normal(0, sqrt(2 / fan)), `fan` = kernel area x out channels / groups
  xavier_uniform,  ///< uniform within sqrt(6 / (in + out))
  decay,           ///< spatial_decay by channel and block
  first,           ///< spatial_first by channel
  mix_key,         ///< (h/C)^(1 - p/N), h of C channels, p = `block` of N = `blocks`
  mix_value,       ///< the same + 0.3 p/(N-1)
  mix_receptance,  ///< (h/C)^(0.5 (1 - p/N))
  sampling_rays,   ///< sampling_offsets.bias: a ray per head, its points further and further out
};

/// One named tensor of a network.
struct ParameterSpec {
  std::string name;
  Shape shape;
  Init init = Init::zeros;
  double constant = 0;                             ///< of Init::constant
  double fan = 0;                                  ///< of Init::convolution
  std::int64_t block = 0;                          ///< of decay, first and the mixes: index from 0
  std::int64_t blocks = 1;                         ///< ... and number of blocks
  std::int64_t heads = 0, levels = 0, points = 0;  ///< of Init::sampling_rays
  bool buffer = false;   ///< running statistics: stored, not trained, not counted
  bool integer = false;  ///< num_batches_tracked (int64)

  /// Weight decay applies to the weights of linear maps and convolutions alone.
  [[nodiscard]] bool decays() const;
};

/// Start values, row-major: a pure function of (spec, seed).
std::vector<float> initial_values(const ParameterSpec& spec, std::uint64_t seed);

/// A name prefix: (scope / "att").name("key.weight") is "PREFIX.att.key.weight".
class Scope {
 public:
  Scope() = default;
  explicit Scope(std::string prefix) : prefix_(std::move(prefix)) {}
  Scope operator/(const std::string& part) const { return Scope(name(part)); }
  Scope operator/(std::int64_t index) const { return Scope(name(std::to_string(index))); }
  [[nodiscard]] std::string name(const std::string& leaf) const {
    return prefix_.empty() ? leaf : prefix_ + "." + leaf;
  }

 private:
  std::string prefix_;
};

}  // namespace medurwkv::net
