// The core of multi-scale deformable attention (Deformable DETR, Zhu et al. 2021, equation 3):
// every query takes, per head, a weighted mean of values sampled bilinearly around its own place in
// each level; outside a level values are zero. Relies on core.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/workspace.h"

namespace medurwkv::kernels {

/// A grid of tokens; `start` is its first token among all.
struct DeformGrid {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t start = 0;
};

/// Arrays are row-major: values batch x (tokens of all levels) x (heads x width); offsets, in
/// pixels of their level, batch x queries x heads x levels x points x 2 (x, then y); weights before
/// the softmax over levels and points, batch x queries x heads x levels x points; the result batch
/// x queries x (heads x width).
struct DeformShape {
  std::int64_t batch = 0;
  std::int64_t heads = 0;
  std::int64_t points = 0;
  std::int64_t width = 0;           ///< channels of a head
  std::vector<DeformGrid> queries;  ///< the queries are these grids' pixel centres
  std::vector<DeformGrid> levels;   ///< grids that are sampled

  [[nodiscard]] std::int64_t query_count() const { return count(queries); }
  [[nodiscard]] std::int64_t value_count() const { return count(levels); }
  [[nodiscard]] std::int64_t samples() const {
    return points * static_cast<std::int64_t>(levels.size());
  }

 private:
  static std::int64_t count(const std::vector<DeformGrid>& grids) {
    std::int64_t sum = 0;
    for (const DeformGrid& grid : grids) sum += grid.height * grid.width;
    return sum;
  }
};

template <class Real>
struct DeformInput {
  const Real* values = nullptr;
  const Real* offsets = nullptr;
  const Real* weights = nullptr;
};

template <class Real>
struct DeformGradient {
  Real* values = nullptr;
  Real* offsets = nullptr;
  Real* weights = nullptr;
};

/// Bytes of workspace, forward and backward.
template <class Real>
std::int64_t deform_attn_workspace(const DeformShape& shape);

/// Runs on thread_count() threads over batch and heads; same bits on any number. float runs on the
/// chosen instruction set (kernels/isa.h).
template <class Real>
void deform_attn_forward(const DeformShape& shape, const DeformInput<Real>& in, Real* y,
                         Workspace workspace);

/// Gradient of sum(y * grad_y); overwrites all of `grad`.
template <class Real>
void deform_attn_backward(const DeformShape& shape, const DeformInput<Real>& in, const Real* grad_y,
                          const DeformGradient<Real>& grad, Workspace workspace);

}  // namespace medurwkv::kernels
