#include "kernels/shift_mix.h"

#include "core/error.h"
#include "kernels/token_blocks.h"

namespace medurwkv::kernels {
namespace {

template <class Real>
ShiftMixRows<Real> rows_of(const ShiftMixShape& shape, const Real* x,
                           const std::vector<const Real*>& mixes) {
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

}  // namespace

template <class Real>
void shift_mix_forward(const ShiftMixShape& shape, const Real* x,
                       const std::vector<const Real*>& mixes, const std::vector<Real*>& y) {
  ShiftMixRows<Real> rows = rows_of(shape, x, mixes);
  std::copy(y.begin(), y.end(), rows.y);
  for_each_block(row_count(shape), [&](std::int64_t begin, std::int64_t end) {
    std::vector<Real> scratch(static_cast<std::size_t>(shape.channels));
    ShiftMixRows<Real> mine = rows;
    mine.scratch = scratch.data();
    token_kernels<Real>().shift_mix_forward(mine, begin, end);
  });
}

template <class Real>
void shift_mix_backward(const ShiftMixShape& shape, const Real* x,
                        const std::vector<const Real*>& mixes,
                        const std::vector<const Real*>& grad_y, Real* grad_x,
                        const std::vector<Real*>& grad_mixes) {
  ShiftMixRows<Real> rows = rows_of(shape, x, mixes);
  std::copy(grad_y.begin(), grad_y.end(), rows.grad_y);
  rows.grad_x = grad_x;
  const std::int64_t channels = shape.channels;
  const auto sums = sum_blocks<Real>(
      row_count(shape), rows.mixes * channels,
      [&](std::int64_t begin, std::int64_t end, Real* partial) {
        std::vector<Real> scratch(static_cast<std::size_t>((1 + rows.mixes) * channels));
        ShiftMixRows<Real> mine = rows;
        mine.scratch = scratch.data();
        mine.grad_mix = partial;
        token_kernels<Real>().shift_mix_backward(mine, begin, end);
      });
  for (std::size_t m = 0; m < grad_mixes.size(); ++m) {
    write_sums(sums, static_cast<std::int64_t>(m) * channels, channels, grad_mixes[m]);
  }
}

template void shift_mix_forward(const ShiftMixShape&, const float*,
                                const std::vector<const float*>&, const std::vector<float*>&);
template void shift_mix_forward(const ShiftMixShape&, const double*,
                                const std::vector<const double*>&, const std::vector<double*>&);
template void shift_mix_backward(const ShiftMixShape&, const float*,
                                 const std::vector<const float*>&, const std::vector<const float*>&,
                                 float*, const std::vector<float*>&);
template void shift_mix_backward(const ShiftMixShape&, const double*,
                                 const std::vector<const double*>&,
                                 const std::vector<const double*>&, double*,
                                 const std::vector<double*>&);

}  // namespace medurwkv::kernels
