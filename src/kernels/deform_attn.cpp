#include "kernels/deform_attn.h"

#include <type_traits>

#include "core/threads.h"
#include "kernels/deform_head.h"
#include "kernels/isa.h"
#include "kernels/ref/deform_attn.h"
#include "kernels/vector/table.h"
#include "kernels/workspace.h"

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

/// One thread's scratch memory.
template <class Real>
struct Room {
  Real* scratch;
  std::int32_t* integers;

  Room(Cutter& cutter, std::int64_t samples)
      : scratch(cutter.take<Real>(deform_scratch * deform_samples_at_once(samples))),
        integers(cutter.take<std::int32_t>(deform_integers * deform_samples_at_once(samples))) {}
};

template <class Real>
PartRooms rooms_of(Cutter& cutter, const DeformShape& shape) {
  Cutter one;
  const Room<Real> measured(one, shape.samples());
  return {cutter, shape.batch * shape.heads, one.bytes()};
}

/// Runs `head` with its batch and head filled in, for all of them.
template <class Real, class Run>
void for_each_head(const DeformShape& shape, const DeformHead<Real>& head, Workspace workspace,
                   const Run& run) {
  Cutter cutter(workspace);
  const PartRooms rooms = rooms_of<Real>(cutter, shape);
  parallel_for(shape.batch * shape.heads,
               [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
                 Cutter mine_from(rooms.of(part));
                 const Room<Real> room(mine_from, head.samples);
                 DeformHead<Real> mine = head;
                 mine.scratch = room.scratch;
                 mine.integers = room.integers;
                 for (std::int64_t i = begin; i < end; ++i) {
                   mine.batch = i / head.heads;
                   mine.head = i % head.heads;
                   run(mine);
                 }
               });
}

}  // namespace

template <class Real>
std::int64_t deform_attn_workspace(const DeformShape& shape) {
  Cutter cutter;
  rooms_of<Real>(cutter, shape);
  return cutter.bytes();
}

template <class Real>
void deform_attn_forward(const DeformShape& shape, const DeformInput<Real>& in, Real* y,
                         Workspace workspace) {
  DeformHead<Real> head = head_of(shape, in);
  head.y = y;
  if constexpr (std::is_same_v<Real, float>) {
    if (const VectorKernels* kernels = vector_kernels()) {
      return for_each_head(shape, head, workspace, kernels->deform_forward);
    }
  }
  for_each_head(shape, head, workspace, ref::deform_forward<Real>);
}

template <class Real>
void deform_attn_backward(const DeformShape& shape, const DeformInput<Real>& in, const Real* grad_y,
                          const DeformGradient<Real>& grad, Workspace workspace) {
  DeformHead<Real> head = head_of(shape, in);
  head.grad_y = grad_y;
  head.grad = grad;
  if constexpr (std::is_same_v<Real, float>) {
    if (const VectorKernels* kernels = vector_kernels()) {
      return for_each_head(shape, head, workspace, kernels->deform_backward);
    }
  }
  for_each_head(shape, head, workspace, ref::deform_backward<Real>);
}

template std::int64_t deform_attn_workspace<float>(const DeformShape&);
template void deform_attn_forward(const DeformShape&, const DeformInput<float>&, float*, Workspace);
template void deform_attn_backward(const DeformShape&, const DeformInput<float>&, const float*,
                                   const DeformGradient<float>&, Workspace);
template std::int64_t deform_attn_workspace<double>(const DeformShape&);
template void deform_attn_forward(const DeformShape&, const DeformInput<double>&, double*,
                                  Workspace);
template void deform_attn_backward(const DeformShape&, const DeformInput<double>&, const double*,
                                   const DeformGradient<double>&, Workspace);

}  // namespace medurwkv::kernels
