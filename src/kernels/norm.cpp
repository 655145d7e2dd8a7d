#include "kernels/norm.h"

#include <cmath>

#include "kernels/token_blocks.h"

namespace medurwkv::kernels {
namespace {

template <class Real>
LayerNormRows<Real> rows_of(const LayerNormShape& shape, const LayerNormInput<Real>& in) {
  return {.channels = shape.channels,
          .height = shape.height,
          .width = shape.width,
          .factor = shape.factor,
          .epsilon = static_cast<Real>(shape.epsilon),
          .x = in.x,
          .weight = in.weight,
          .bias = in.bias};
}

/// Sums over the rows, weight's first, then bias's.
template <class Real>
BlockSums<Real> layer_norm_sums(Cutter& cutter, const LayerNormShape& shape) {
  return {cutter, shape.rows, 2 * shape.channels};
}

/// Of each block of rows a mean and a sum of squares per channel.
template <class Real>
Real* moments_of_blocks(Cutter& cutter, std::int64_t rows, std::int64_t channels) {
  return cutter.take<Real>(2 * blocks_of(rows) * channels);
}

/// y is max(0, x slope + shift).
template <class Real>
struct NormReluRoom {
  Real *slope, *shift;

  NormReluRoom(Cutter& cutter, std::int64_t channels)
      : slope(cutter.take<Real>(channels)), shift(cutter.take<Real>(channels)) {}
};

template <class Real>
struct NormReluBackwardRoom {
  BlockSums<Real> sums;  ///< bias's first, then weight's
  Real *slope, *mean_grad, *mean_normed;

  NormReluBackwardRoom(Cutter& cutter, std::int64_t rows, std::int64_t channels)
      : sums(cutter, rows, 2 * channels),
        slope(cutter.take<Real>(channels)),
        mean_grad(cutter.take<Real>(channels)),
        mean_normed(cutter.take<Real>(channels)) {}
};

template <class Real>
void run_layer_norm(const LayerNormShape& shape, LayerNormRows<Real>& rows, Real* mean,
                    Real* deviation) {
  rows.mean = mean;
  rows.deviation = deviation;
  for_each_block(shape.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().layer_norm_forward(rows, begin, end);
  });
}

}  // namespace

template <class Real>
std::int64_t layer_norm_backward_workspace(const LayerNormShape& shape) {
  Cutter cutter;
  layer_norm_sums<Real>(cutter, shape);
  return cutter.bytes();
}

template <class Real>
std::int64_t row_moments_workspace(std::int64_t rows, std::int64_t channels) {
  Cutter cutter;
  moments_of_blocks<Real>(cutter, rows, channels);
  return cutter.bytes();
}

template <class Real>
std::int64_t norm_relu_forward_workspace(std::int64_t channels) {
  Cutter cutter;
  const NormReluRoom<Real> measured(cutter, channels);
  return cutter.bytes();
}

template <class Real>
std::int64_t norm_relu_backward_workspace(std::int64_t rows, std::int64_t channels) {
  Cutter cutter;
  const NormReluBackwardRoom<Real> measured(cutter, rows, channels);
  return cutter.bytes();
}

template <class Real>
void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* y,
                        Real* mean, Real* deviation) {
  LayerNormRows<Real> rows = rows_of(shape, in);
  rows.y = y;
  run_layer_norm(shape, rows, mean, deviation);
}

void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<float>& in, Bfloat16* y,
                        float* mean, float* deviation) {
  LayerNormRows<float> rows = rows_of(shape, in);
  rows.narrow = y;
  run_layer_norm(shape, rows, mean, deviation);
}

void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<float>& in, float steps,
                        Int8* y, float* mean, float* deviation) {
  LayerNormRows<float> rows = rows_of(shape, in);
  rows.whole = y;
  rows.steps = steps;
  run_layer_norm(shape, rows, mean, deviation);
}

template <class Real>
void layer_norm_backward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* mean,
                         Real* deviation, const Real* grad_y, const LayerNormGradient<Real>& grad,
                         Workspace workspace) {
  LayerNormRows<Real> rows = rows_of(shape, in);
  rows.mean = mean;
  rows.deviation = deviation;
  rows.grad_y = grad_y;
  rows.grad_x = grad.x;
  const std::int64_t channels = shape.channels;
  Cutter cutter(workspace);
  const BlockSums<Real> sums = layer_norm_sums<Real>(cutter, shape);
  sum_blocks(sums, [&](std::int64_t begin, std::int64_t end, Real* partial) {
    LayerNormRows<Real> mine = rows;
    mine.grad_weight = partial;
    mine.grad_bias = partial + channels;
    token_kernels<Real>().layer_norm_backward(mine, begin, end);
  });
  write_sums(sums, 0, channels, grad.weight);
  write_sums(sums, channels, channels, grad.bias);
}

template <class Real>
void row_moments(std::int64_t rows, std::int64_t channels, const Real* x, double* mean,
                 double* variance, Workspace workspace) {
  Cutter cutter(workspace);
  Real* const parts = moments_of_blocks<Real>(cutter, rows, channels);
  for_each_block(rows, [&](std::int64_t begin, std::int64_t end) {
    Real* part = parts + 2 * (begin / rows_per_block) * channels;
    token_kernels<Real>().moments(x, channels, begin, end, part, part + channels);
  });
  for (std::int64_t c = 0; c < channels; ++c) {
    // Joined as Chan, Golub and LeVeque (1979) join partial variances.
    double count = 0;
    double centre = 0;
    double squares = 0;
    for (std::int64_t block = 0; block < blocks_of(rows); ++block) {
      const Real* part = parts + 2 * block * channels;
      const auto more =
          static_cast<double>(std::min(rows_per_block, rows - block * rows_per_block));
      const double off = static_cast<double>(part[c]) - centre;
      squares +=
          static_cast<double>(part[channels + c]) + off * off * count * more / (count + more);
      centre += off * more / (count + more);
      count += more;
    }
    mean[c] = centre;
    variance[c] = squares / count;
  }
}

template <class Real>
void norm_relu_forward(const NormRelu<Real>& in, Real* y, Workspace workspace) {
  Cutter cutter(workspace);
  const NormReluRoom<Real> room(cutter, in.channels);
  for (std::int64_t c = 0; c < in.channels; ++c) {
    room.slope[c] = in.weight[c] * in.deviation[c];
    room.shift[c] = in.bias[c] - in.mean[c] * room.slope[c];
  }
  const NormReluRows<Real> rows{
      .channels = in.channels, .x = in.x, .slope = room.slope, .shift = room.shift, .y = y};
  for_each_block(in.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().norm_relu_forward(rows, begin, end);
  });
}

template <class Real>
void norm_relu_backward(const NormRelu<Real>& in, const Real* y, const Real* grad_y,
                        bool batch_statistics, const LayerNormGradient<Real>& grad,
                        Workspace workspace) {
  const std::int64_t channels = in.channels;
  // The backward kernel does not write to y.
  NormReluRows<Real> rows{
      .channels = channels,
      .x = in.x,
      .y = const_cast<Real*>(y),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      .mean = in.mean,
      .deviation = in.deviation,
      .grad_y = grad_y,
      .grad_x = grad.x};
  Cutter cutter(workspace);
  const NormReluBackwardRoom<Real> room(cutter, in.rows, channels);
  sum_blocks(room.sums, [&](std::int64_t begin, std::int64_t end, Real* partial) {
    NormReluRows<Real> mine = rows;
    mine.sum = partial;
    mine.sum_normed = partial + channels;
    token_kernels<Real>().norm_relu_sums(mine, begin, end);
  });
  write_sums(room.sums, 0, channels, grad.bias);
  write_sums(room.sums, channels, channels, grad.weight);
  const double count = batch_statistics ? static_cast<double>(in.rows) : HUGE_VAL;
  for (std::int64_t c = 0; c < channels; ++c) {
    room.slope[c] = in.weight[c] * in.deviation[c];
    room.mean_grad[c] = static_cast<Real>(room.sums.sums[c] / count);
    room.mean_normed[c] = static_cast<Real>(room.sums.sums[channels + c] / count);
  }
  rows.slope = room.slope;
  rows.mean_grad = room.mean_grad;
  rows.mean_normed = room.mean_normed;
  for_each_block(in.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().norm_relu_backward(rows, begin, end);
  });
}

template void layer_norm_forward(const LayerNormShape&, const LayerNormInput<float>&, float*,
                                 float*, float*);
template std::int64_t layer_norm_backward_workspace<float>(const LayerNormShape&);
template void layer_norm_backward(const LayerNormShape&, const LayerNormInput<float>&, float*,
                                  float*, const float*, const LayerNormGradient<float>&, Workspace);
template std::int64_t row_moments_workspace<float>(std::int64_t, std::int64_t);
template void row_moments(std::int64_t, std::int64_t, const float*, double*, double*, Workspace);
template std::int64_t norm_relu_forward_workspace<float>(std::int64_t);
template std::int64_t norm_relu_backward_workspace<float>(std::int64_t, std::int64_t);
template void norm_relu_forward(const NormRelu<float>&, float*, Workspace);
template void norm_relu_backward(const NormRelu<float>&, const float*, const float*, bool,
                                 const LayerNormGradient<float>&, Workspace);
template void layer_norm_forward(const LayerNormShape&, const LayerNormInput<double>&, double*,
                                 double*, double*);
template std::int64_t layer_norm_backward_workspace<double>(const LayerNormShape&);
template void layer_norm_backward(const LayerNormShape&, const LayerNormInput<double>&, double*,
                                  double*, const double*, const LayerNormGradient<double>&,
                                  Workspace);
template std::int64_t row_moments_workspace<double>(std::int64_t, std::int64_t);
template void row_moments(std::int64_t, std::int64_t, const double*, double*, double*, Workspace);
template std::int64_t norm_relu_forward_workspace<double>(std::int64_t);
template std::int64_t norm_relu_backward_workspace<double>(std::int64_t, std::int64_t);
template void norm_relu_forward(const NormRelu<double>&, double*, Workspace);
template void norm_relu_backward(const NormRelu<double>&, const double*, const double*, bool,
                                 const LayerNormGradient<double>&, Workspace);

}  // namespace medurwkv::kernels
