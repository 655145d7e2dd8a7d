// One head of one batch element of deformable attention, as its loops see it: plain numbers and
// pointers, so that the files compiled for one instruction set share no code with others. Relies on
// kernels/deform_attn.h alone.
#pragma once

#include <cstdint>

#include "kernels/deform_attn.h"

namespace medurwkv::kernels {

template <class Real>
struct DeformHead {
  std::int64_t batch = 0;
  std::int64_t head = 0;
  std::int64_t heads = 0;
  std::int64_t points = 0;
  std::int64_t width = 0;
  const DeformGrid* queries = nullptr;
  std::int64_t query_grids = 0;
  std::int64_t query_count = 0;
  const DeformGrid* levels = nullptr;
  std::int64_t level_count = 0;
  std::int64_t value_count = 0;
  std::int64_t samples = 0;  ///< points x levels
  DeformInput<Real> in;
  Real* y = nullptr;
  const Real* grad_y = nullptr;
  DeformGradient<Real> grad;
  // Scratch memory. Sizes are in units of deform_samples_at_once(samples).
  Real* scratch = nullptr;           ///< deform_scratch
  std::int32_t* integers = nullptr;  ///< deform_integers
};

inline constexpr std::int64_t deform_scratch = 20;
inline constexpr std::int64_t deform_integers = 5;
/// Queries whose samples are found together, as many as fill the widest vectors; at most 16.
inline std::int64_t deform_queries_at_once(std::int64_t samples) {
  return samples < 16 ? 16 / samples : 1;
}
inline std::int64_t deform_samples_at_once(std::int64_t samples) {
  return (samples * deform_queries_at_once(samples) + 15) / 16 * 16;
}

}  // namespace medurwkv::kernels
