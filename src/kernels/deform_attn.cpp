#include "kernels/deform_attn.h"

#include <type_traits>
#include <vector>

#include "core/threads.h"
#include "kernels/deform_head.h"
#include "kernels/isa.h"
#include "kernels/ref/deform_attn.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels {
namespace {

template <class Real>
DeformHead<Real> head_of(const DeformShape& shape, const DeformInput<Real>& in) {
  return {.heads = shape.heads,
          .points = shape.points,
          .width = shape.width,
          .queries = shape.queries.data(),
          .query_grids = static_cast<std::int64_t>(shape.queries.size()),
          .query_count = shape.query_count(),
          .levels = shape.levels.data(),
          .level_count = static_cast<std::int64_t>(shape.levels.size()),
          .value_count = shape.value_count(),
          .samples = shape.samples(),
          .in = in,
          .grad = {}};
}

/// Runs `head` with its batch and head filled in, for all of them.
template <class Real, class Run>
void for_each_head(std::int64_t batch, const DeformHead<Real>& head, const Run& run) {
  parallel_for(batch * head.heads, [&](std::int64_t begin, std::int64_t end) {
    const auto samples = static_cast<std::size_t>(deform_samples_at_once(head.samples));
    std::vector<Real> scratch(deform_scratch * samples);
    std::vector<std::int32_t> integers(deform_integers * samples);
    std::vector<std::int64_t> rows(4 * samples);
    DeformHead<Real> mine = head;
    mine.scratch = scratch.data();
    mine.integers = integers.data();
    mine.rows = rows.data();
    for (std::int64_t i = begin; i < end; ++i) {
      mine.batch = i / head.heads;
      mine.head = i % head.heads;
      run(mine);
    }
  });
}

}  // namespace

template <class Real>
void deform_attn_forward(const DeformShape& shape, const DeformInput<Real>& in, Real* y) {
  DeformHead<Real> head = head_of(shape, in);
  head.y = y;
  if constexpr (std::is_same_v<Real, float>) {
    if (const VectorKernels* kernels = vector_kernels()) {
      return for_each_head(shape.batch, head, kernels->deform_forward);
    }
  }
  for_each_head(shape.batch, head, ref::deform_forward<Real>);
}

template <class Real>
void deform_attn_backward(const DeformShape& shape, const DeformInput<Real>& in, const Real* grad_y,
                          const DeformGradient<Real>& grad) {
  DeformHead<Real> head = head_of(shape, in);
  head.grad_y = grad_y;
  head.grad = grad;
  if constexpr (std::is_same_v<Real, float>) {
    if (const VectorKernels* kernels = vector_kernels()) {
      return for_each_head(shape.batch, head, kernels->deform_backward);
    }
  }
  for_each_head(shape.batch, head, ref::deform_backward<Real>);
}

template void deform_attn_forward(const DeformShape&, const DeformInput<float>&, float*);
template void deform_attn_forward(const DeformShape&, const DeformInput<double>&, double*);
template void deform_attn_backward(const DeformShape&, const DeformInput<float>&, const float*,
                                   const DeformGradient<float>&);
template void deform_attn_backward(const DeformShape&, const DeformInput<double>&, const double*,
                                   const DeformGradient<double>&);

}  // namespace medurwkv::kernels
