#include "kernels/shift_mix.h"

#include "core/error.h"
#include "kernels/token_blocks.h"

namespace medurwkv::kernels {
namespace {

template <class Real>
ShiftMixRows<Real> rows_of(const ShiftMixShape& shape, const Real* x,
                           std::span<const Real* const> mixes) {
  if (mixes.size() > most_mixes) throw_internal("more mixes of one input than there is room for");
  ShiftMixRows<Real> rows{.height = shape.height,
                          .width = shape.width,
                          .channels = shape.channels,
                          .mixes = static_cast<std::int64_t>(mixes.size()),
                          .x = x};
  std::copy(mixes.begin(), mixes.end(), rows.mix);
  return rows;
}

std::int64_t row_count(const ShiftMixShape& shape) {
  return shape.batch * shape.height * shape.width;
}

/// `arrays` of one number per channel for each thread.
template <class Real>
PartRooms scratch_of(Cutter& cutter, const ShiftMixShape& shape, std::int64_t arrays) {
  return {cutter, blocks_of(row_count(shape)),
          arrays * shape.channels * static_cast<std::int64_t>(sizeof(Real))};
}

template <class Real>
Real* numbers(Workspace room) {
  return reinterpret_cast<Real*>(room.data());
}

template <class Real>
void run_forward(const ShiftMixShape& shape, const ShiftMixRows<Real>& rows, Workspace workspace) {
  Cutter cutter(workspace);
  const PartRooms scratch = scratch_of<Real>(cutter, shape, 1);
  for_each_block(row_count(shape), [&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    ShiftMixRows<Real> mine = rows;
    mine.scratch = numbers<Real>(scratch.of(part));
    token_kernels<Real>().shift_mix_forward(mine, begin, end);
  });
}

template <class Real>
struct BackwardRoom {
  BlockSums<Real> sums;
  PartRooms scratch;

  BackwardRoom(Cutter& cutter, const ShiftMixShape& shape, std::int64_t mixes)
      : sums(cutter, row_count(shape), mixes * shape.channels),
        scratch(scratch_of<Real>(cutter, shape, 1 + mixes)) {}
};

}  // namespace

template <class Real>
std::int64_t shift_mix_forward_workspace(const ShiftMixShape& shape) {
  Cutter cutter;
  scratch_of<Real>(cutter, shape, 1);
  return cutter.bytes();
}

template <class Real>
std::int64_t shift_mix_backward_workspace(const ShiftMixShape& shape, std::int64_t mixes) {
  Cutter cutter;
  const BackwardRoom<Real> measured(cutter, shape, mixes);
  return cutter.bytes();
}

template <class Real>
void shift_mix_forward(const ShiftMixShape& shape, const Real* x,
                       std::span<const Real* const> mixes, std::span<Real* const> y,
                       Workspace workspace) {
  ShiftMixRows<Real> rows = rows_of(shape, x, mixes);
  std::copy(y.begin(), y.end(), rows.y);
  run_forward(shape, rows, workspace);
}

void shift_mix_forward(const ShiftMixShape& shape, const float* x,
                       std::span<const float* const> mixes, std::span<Bfloat16* const> y,
                       Workspace workspace) {
  ShiftMixRows<float> rows = rows_of(shape, x, mixes);
  std::copy(y.begin(), y.end(), rows.narrow);
  run_forward(shape, rows, workspace);
}

void shift_mix_forward(const ShiftMixShape& shape, const float* x,
                       std::span<const float* const> mixes, std::span<const float> steps,
                       std::span<Int8* const> y, Workspace workspace) {
  ShiftMixRows<float> rows = rows_of(shape, x, mixes);
  std::copy(y.begin(), y.end(), rows.whole);
  std::copy(steps.begin(), steps.end(), rows.steps);
  run_forward(shape, rows, workspace);
}

template <class Real>
void shift_mix_backward(const ShiftMixShape& shape, const Real* x,
                        std::span<const Real* const> mixes, std::span<const Real* const> grad_y,
                        Real* grad_x, std::span<Real* const> grad_mixes, Workspace workspace) {
  ShiftMixRows<Real> rows = rows_of(shape, x, mixes);
  std::copy(grad_y.begin(), grad_y.end(), rows.grad_y);
  rows.grad_x = grad_x;
  Cutter cutter(workspace);
  const BackwardRoom<Real> room(cutter, shape, rows.mixes);
  sum_blocks(room.sums,
             [&](std::int64_t begin, std::int64_t end, Real* partial, std::int64_t part) {
               ShiftMixRows<Real> mine = rows;
               mine.scratch = numbers<Real>(room.scratch.of(part));
               mine.grad_mix = partial;
               token_kernels<Real>().shift_mix_backward(mine, begin, end);
             });
  for (std::size_t m = 0; m < grad_mixes.size(); ++m) {
    write_sums(room.sums, static_cast<std::int64_t>(m) * shape.channels, shape.channels,
               grad_mixes[m]);
  }
}

template std::int64_t shift_mix_forward_workspace<float>(const ShiftMixShape&);
template std::int64_t shift_mix_backward_workspace<float>(const ShiftMixShape&, std::int64_t);
template void shift_mix_forward(const ShiftMixShape&, const float*, std::span<const float* const>,
                                std::span<float* const>, Workspace);
template void shift_mix_backward(const ShiftMixShape&, const float*, std::span<const float* const>,
                                 std::span<const float* const>, float*, std::span<float* const>,
                                 Workspace);
template std::int64_t shift_mix_forward_workspace<double>(const ShiftMixShape&);
template std::int64_t shift_mix_backward_workspace<double>(const ShiftMixShape&, std::int64_t);
template void shift_mix_forward(const ShiftMixShape&, const double*, std::span<const double* const>,
                                std::span<double* const>, Workspace);
template void shift_mix_backward(const ShiftMixShape&, const double*,
                                 std::span<const double* const>, std::span<const double* const>,
                                 double*, std::span<double* const>, Workspace);

}  // namespace medurwkv::kernels
