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
  Real* scratch = nullptr;       ///< 5 x samples numbers
  std::int64_t* rows = nullptr;  ///< 4 x samples numbers
};

}  // namespace medurwkv::kernels
