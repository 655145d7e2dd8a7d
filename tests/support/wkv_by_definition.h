// bi-WKV term by term from the formulas of kernels/bi_wkv.h, in double: an oracle that shares no
// code with the kernels. One batch element, one channel.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/bi_wkv.h"

namespace medurwkv::test {

struct WkvColumn {
  double decay = 0;
  double first = 0;
  std::vector<double> key, value;
};

inline std::int64_t wkv_chunk_length(std::int64_t tokens, kernels::WkvMode mode) {
  const std::int64_t chunks = mode == kernels::WkvMode::released32 ? 32 : 16;
  return (tokens + chunks - 1) / chunks;
}

/// The constant e of every token: 0 but in released32.
inline std::vector<double> wkv_epsilons(const WkvColumn& in, kernels::WkvMode mode) {
  const auto tokens = static_cast<std::int64_t>(in.key.size());
  std::vector<double> out(in.key.size());
  if (mode != kernels::WkvMode::released32) return out;
  const std::int64_t length = wkv_chunk_length(tokens, mode);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t s = t / length * length;
    double largest = -std::numeric_limits<double>::infinity();
    const auto see = [&](double exponent) { largest = std::max(largest, exponent); };
    for (std::int64_t i = 0; i < tokens; ++i) {
      const double k = in.key[static_cast<std::size_t>(i)];
      const auto gap = static_cast<double>(t - i);
      if (i < s) see(k - gap * in.decay);
      if (i >= s && i < t) see(k - (gap - 1) * in.decay);
      if (i == t) see(in.first + k);
      if (i > t) see(k + gap * in.decay);
      if (i >= s) see(k + gap * in.decay);
      if (i > s && i <= t) see(k + (gap + 1) * in.decay);
    }
    out[static_cast<std::size_t>(t)] = 1e-6 * std::exp(largest);
  }
  return out;
}

/// `epsilons` are handed in, because in the gradient they count as constants.
inline std::vector<double> wkv_by_definition(const WkvColumn& in, kernels::WkvMode mode,
                                             const std::vector<double>& epsilons) {
  const auto tokens = static_cast<std::int64_t>(in.key.size());
  const bool exact = mode == kernels::WkvMode::exact;
  const std::int64_t length = wkv_chunk_length(tokens, mode);
  std::vector<double> out;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t s = t / length * length;
    double sum = 0;
    double weights = epsilons[static_cast<std::size_t>(t)];
    for (std::int64_t i = 0; i < tokens; ++i) {
      const double k = in.key[static_cast<std::size_t>(i)];
      const auto gap = static_cast<double>(t - i);
      double weight = 0;
      if (i == t) {
        weight = std::exp(in.first + k);
      } else if (exact) {
        weight = std::exp(k - (std::abs(gap) - 1) * in.decay);
      } else if (i < s) {
        weight = std::exp(k - gap * in.decay);
      } else if (i < t) {
        weight = std::exp(k - (gap - 1) * in.decay);
      } else {
        weight = std::exp(k + gap * in.decay);
      }
      if (!exact && i > s && i <= t) {
        weight += std::exp(k + gap * in.decay) * (1 - std::exp(in.decay));
      }
      sum += weight * in.value[static_cast<std::size_t>(i)];
      weights += weight;
    }
    out.push_back(sum / weights);
  }
  return out;
}

}  // namespace medurwkv::test
