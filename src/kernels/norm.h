// Normalisations on rows of channels: layer normalisation (with the rearrangement of patch
// expanding where one comes before it), batch normalisation followed by max(0, .). Same bits on any
// number of threads.
#pragma once

#include <cstdint>

#include "kernels/token_kernels.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels {

/// x is `rows` x channels. With factor p > 1, x holds the tokens of batch x height x width, each
/// p^2 rows, row py p + px of token (y, x); the result's rows are the pixels (p y + py, p x + px)
/// of batch x p height x p width.
struct LayerNormShape {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  double epsilon = 1e-5;
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t factor = 1;
};

template <class Real>
struct LayerNormInput {
  const Real* x = nullptr;
  const Real* weight = nullptr;
  const Real* bias = nullptr;
};

/// y = (x - mean) deviation weight + bias. Writes each row's mean and, as `deviation`, one over its
/// standard deviation.
template <class Real>
void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* y,
                        Real* mean, Real* deviation);
void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<float>& in, Bfloat16* y,
                        float* mean, float* deviation);
/// y times steps.
void layer_norm_forward(const LayerNormShape& shape, const LayerNormInput<float>& in, float steps,
                        Int8* y, float* mean, float* deviation);

template <class Real>
struct LayerNormGradient {
  Real* x = nullptr;
  Real* weight = nullptr;
  Real* bias = nullptr;
};

/// Bytes of workspace.
template <class Real>
std::int64_t layer_norm_backward_workspace(const LayerNormShape& shape);

/// Gradient of sum(y * grad_y); `mean` and `deviation` are what the forward pass wrote.
template <class Real>
void layer_norm_backward(const LayerNormShape& shape, const LayerNormInput<Real>& in, Real* mean,
                         Real* deviation, const Real* grad_y, const LayerNormGradient<Real>& grad,
                         Workspace workspace);

/// Bytes of workspace.
template <class Real>
std::int64_t row_moments_workspace(std::int64_t rows, std::int64_t channels);

/// Per channel mean and biased variance over the rows.
template <class Real>
void row_moments(std::int64_t rows, std::int64_t channels, const Real* x, double* mean,
                 double* variance, Workspace workspace);

template <class Real>
struct NormRelu {
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  const Real* x = nullptr;
  const Real* mean = nullptr;       ///< per channel
  const Real* deviation = nullptr;  ///< per channel, one over the standard deviation
  const Real* weight = nullptr;
  const Real* bias = nullptr;
};

/// Bytes of workspace.
template <class Real>
std::int64_t norm_relu_forward_workspace(std::int64_t channels);
template <class Real>
std::int64_t norm_relu_backward_workspace(std::int64_t rows, std::int64_t channels);

/// y = max(0, (x - mean) deviation weight + bias).
template <class Real>
void norm_relu_forward(const NormRelu<Real>& in, Real* y, Workspace workspace);

/// Gradient of sum(y * grad_y). With `batch_statistics`, mean and deviation are those of the rows;
/// else they are constants.
template <class Real>
void norm_relu_backward(const NormRelu<Real>& in, const Real* y, const Real* grad_y,
                        bool batch_statistics, const LayerNormGradient<Real>& grad,
                        Workspace workspace);

}  // namespace medurwkv::kernels
