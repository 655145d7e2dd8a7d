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

std::size_t size(std::int64_t count) {
  return static_cast<std::size_t>(count);
}

}  // namespace

template <class Real>
void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* y,
                        Real* mean, Real* deviation) {
  LayerNormRows<Real> rows = rows_of(shape, in);
  rows.y = y;
  rows.mean = mean;
  rows.deviation = deviation;
  for_each_block(shape.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().layer_norm_forward(rows, begin, end);
  });
}

template <class Real>
void layer_norm_backward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* mean,
                         Real* deviation, const Real* grad_y, const LayerNormGradient<Real>& grad) {
  LayerNormRows<Real> rows = rows_of(shape, in);
  rows.mean = mean;
  rows.deviation = deviation;
  rows.grad_y = grad_y;
  rows.grad_x = grad.x;
  const std::int64_t channels = shape.channels;
  const auto sums = sum_blocks<Real>(shape.rows, 2 * channels,
                                     [&](std::int64_t begin, std::int64_t end, Real* partial) {
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
                 double* variance) {
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
  std::vector<Real> parts(size(2 * blocks * channels));
  for_each_block(rows, [&](std::int64_t begin, std::int64_t end) {
    Real* part = parts.data() + 2 * (begin / rows_per_block) * channels;
    token_kernels<Real>().moments(x, channels, begin, end, part, part + channels);
  });
  for (std::int64_t c = 0; c < channels; ++c) {
    // Joined as Chan, Golub and LeVeque (1979) join partial variances.
    double count = 0;
    double centre = 0;
    double squares = 0;
    for (std::int64_t block = 0; block < blocks; ++block) {
      const Real* part = parts.data() + 2 * block * channels;
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
void norm_relu_forward(const NormRelu<Real>& in, Real* y) {
  std::vector<Real> slope(size(in.channels));
  std::vector<Real> shift(size(in.channels));
  for (std::size_t c = 0; c < slope.size(); ++c) {
    slope[c] = in.weight[c] * in.deviation[c];
    shift[c] = in.bias[c] - in.mean[c] * slope[c];
  }
  const NormReluRows<Real> rows{
      .channels = in.channels, .x = in.x, .slope = slope.data(), .shift = shift.data(), .y = y};
  for_each_block(in.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().norm_relu_forward(rows, begin, end);
  });
}

template <class Real>
void norm_relu_backward(const NormRelu<Real>& in, const Real* y, const Real* grad_y,
                        bool batch_statistics, const LayerNormGradient<Real>& grad) {
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
  const auto sums = sum_blocks<Real>(in.rows, 2 * channels,
                                     [&](std::int64_t begin, std::int64_t end, Real* partial) {
                                       NormReluRows<Real> mine = rows;
                                       mine.sum = partial;
                                       mine.sum_normed = partial + channels;
                                       token_kernels<Real>().norm_relu_sums(mine, begin, end);
                                     });
  write_sums(sums, 0, channels, grad.bias);
  write_sums(sums, channels, channels, grad.weight);
  std::vector<Real> slope(size(channels));
  std::vector<Real> mean_grad(size(channels));
  std::vector<Real> mean_normed(size(channels));
  const double count = batch_statistics ? static_cast<double>(in.rows) : HUGE_VAL;
  for (std::size_t c = 0; c < slope.size(); ++c) {
    slope[c] = in.weight[c] * in.deviation[c];
    mean_grad[c] = static_cast<Real>(sums[c] / count);
    mean_normed[c] = static_cast<Real>(sums[slope.size() + c] / count);
  }
  rows.slope = slope.data();
  rows.mean_grad = mean_grad.data();
  rows.mean_normed = mean_normed.data();
  for_each_block(in.rows, [&](std::int64_t begin, std::int64_t end) {
    token_kernels<Real>().norm_relu_backward(rows, begin, end);
  });
}

template void layer_norm_forward(const LayerNormShape&, const LayerNormInput<float>&, float*,
                                 float*, float*);
template void layer_norm_backward(const LayerNormShape&, const LayerNormInput<float>&, float*,
                                  float*, const float*, const LayerNormGradient<float>&);
template void row_moments(std::int64_t, std::int64_t, const float*, double*, double*);
template void norm_relu_forward(const NormRelu<float>&, float*);
template void norm_relu_backward(const NormRelu<float>&, const float*, const float*, bool,
                                 const LayerNormGradient<float>&);
template void layer_norm_forward(const LayerNormShape&, const LayerNormInput<double>&, double*,
                                 double*, double*);
template void layer_norm_backward(const LayerNormShape&, const LayerNormInput<double>&, double*,
                                  double*, const double*, const LayerNormGradient<double>&);
template void row_moments(std::int64_t, std::int64_t, const double*, double*, double*);
template void norm_relu_forward(const NormRelu<double>&, double*);
template void norm_relu_backward(const NormRelu<double>&, const double*, const double*, bool,
                                 const LayerNormGradient<double>&);

}  // namespace medurwkv::kernels
