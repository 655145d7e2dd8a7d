// Counter-based random numbers: each value is a pure function of (seed, stream, index), so there is
// no generator state to save and results do not depend on the number of threads or on order.
// Relies on the standard library alone. The mixer is splitmix64 (Steele, Lea, Flood 2014); the name
// hash is FNV-1a with 64 bits.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace medurwkv {

/// One step of splitmix64: a bijection of 64 bits whose output passes as random.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

constexpr std::uint64_t fnv1a64(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return h;
}

/// The largest seed that options and settings take.
inline constexpr std::int64_t largest_seed = 1'000'000'000'000'000'000;

/// A stream of random numbers named by `keys` (for example {seed, epoch, sample}).
class Random {
 public:
  Random(std::initializer_list<std::uint64_t> keys) {
    for (const std::uint64_t key : keys) stream_ = mix64(stream_ ^ mix64(key));
  }
  /// Sub-stream named by a text.
  Random(std::uint64_t seed, std::string_view name) : Random({seed, fnv1a64(name)}) {}

  /// 64 random bits at position `index`.
  [[nodiscard]] std::uint64_t bits(std::uint64_t index) const {
    return mix64(stream_ + mix64(index));
  }
  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform(std::uint64_t index) const {
    return static_cast<double>(bits(index) >> 11) * 0x1p-53;
  }
  /// Uniform in [low, high).
  [[nodiscard]] double uniform(std::uint64_t index, double low, double high) const {
    return low + (high - low) * uniform(index);
  }
  /// Uniform integer in [0, bound), 0 < bound < 2^32 (bias below bound / 2^32).
  [[nodiscard]] std::uint64_t below(std::uint64_t index, std::uint64_t bound) const {
    return ((bits(index) >> 32) * bound) >> 32;
  }
  /// Standard normal (Box-Muller, cosine branch; positions 2 index and 2 index + 1 of a
  /// sub-stream).
  [[nodiscard]] double normal(std::uint64_t index) const;

  /// A random permutation of 0..count-1 (Fisher-Yates).
  [[nodiscard]] std::vector<std::int64_t> permutation(std::int64_t count) const;

 private:
  std::uint64_t stream_ = 0;
};

}  // namespace medurwkv
