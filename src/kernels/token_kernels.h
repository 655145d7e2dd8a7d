// Loops over rows of channels, as one instruction set runs them: plain numbers and pointers, so
// that the files compiled for one instruction set share no code with others. Interfaces for
// everybody else: kernels/shift_mix.h, kernels/pointwise.h, kernels/norm.h. Relies on nothing.
//
// A row is one token's (or pixel's) channels, contiguous. Sums over rows are added to what the
// arrays hold; the caller cuts rows into blocks and adds up the sums of the blocks.
#pragma once

#include <cstdint>

namespace medurwkv::kernels {

inline constexpr std::int64_t most_mixes = 3;

/// The upper half of a float, rounded to the nearest, ties to even.
enum class Bfloat16 : std::uint16_t {};

/// A number times what the caller says, the nearest whole one to it (ties to even) of -127..127.
enum class Int8 : std::int8_t {};

template <class Real>
struct ShiftMixRows {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::int64_t mixes = 0;
  const Real* x = nullptr;
  const Real* mix[most_mixes]{};
  Real* y[most_mixes]{};
  Bfloat16* narrow[most_mixes]{};  ///< in place of y, where it is not null
  Int8* whole[most_mixes]{};       ///< in place of y, where it is not null
  Real steps[most_mixes]{};        ///< whole numbers to 1
  // backward
  const Real* grad_y[most_mixes]{};
  Real* grad_x = nullptr;
  Real* grad_mix = nullptr;  ///< mixes x channels sums
  Real* scratch = nullptr;   ///< (1 + mixes) x channels; forward: channels
};

/// y = x + scale branch, scale per channel.
template <class Real>
struct ScaleAddRows {
  std::int64_t channels = 0;
  const Real* x = nullptr;
  const Real* scale = nullptr;
  const Real* branch = nullptr;
  Real* y = nullptr;
  // backward
  const Real* grad_y = nullptr;
  Real* grad_branch = nullptr;
  Real* grad_scale = nullptr;  ///< channels sums
};

/// Layer normalisation of rows. With a factor above 1 the rows are the pixels that a token of
/// factor^2 x channels numbers holds, and the result's rows stand on the finer grid.
template <class Real>
struct LayerNormRows {
  std::int64_t channels = 0;
  std::int64_t height = 0;  ///< of the tokens' grid
  std::int64_t width = 0;
  std::int64_t factor = 1;
  Real epsilon = 0;
  const Real* x = nullptr;
  const Real* weight = nullptr;
  const Real* bias = nullptr;
  Real* y = nullptr;
  Bfloat16* narrow = nullptr;  ///< in place of y, where it is not null
  Int8* whole = nullptr;       ///< in place of y, where it is not null
  Real steps = 1;              ///< whole numbers to 1
  Real* mean = nullptr;        ///< of each row of x
  Real* deviation = nullptr;   ///< one over it, of each row of x
  // backward
  const Real* grad_y = nullptr;
  Real* grad_x = nullptr;
  Real* grad_weight = nullptr;  ///< channels sums
  Real* grad_bias = nullptr;    ///< channels sums

  /// The result's row of row `index` of x.
  [[nodiscard]] std::int64_t target(std::int64_t index) const {
    if (factor == 1) return index;
    const std::int64_t part = index % (factor * factor);
    const std::int64_t token = index / (factor * factor);
    const std::int64_t column = token % width;
    const std::int64_t line = token / width;  // counted over the batch
    return (line * factor + part / factor) * width * factor + column * factor + part % factor;
  }
};

/// Batch normalisation of rows followed by max(0, .): y = max(0, x slope + shift).
template <class Real>
struct NormReluRows {
  std::int64_t channels = 0;
  const Real* x = nullptr;
  const Real* slope = nullptr;
  const Real* shift = nullptr;
  Real* y = nullptr;
  // backward; the normalised numbers are (x - mean) deviation
  const Real* mean = nullptr;
  const Real* deviation = nullptr;
  const Real* grad_y = nullptr;
  Real* sum = nullptr;         ///< channels sums of the gradient where y > 0
  Real* sum_normed = nullptr;  ///< and of it times the normalised numbers
  const Real* mean_grad = nullptr;
  const Real* mean_normed = nullptr;
  Real* grad_x = nullptr;
};

/// The constants of one update of AdamW (train/optimizer.h). With gradient g:
/// m = beta1 m + rest1 g, v = beta2 v + rest2 g^2,
/// parameter = keep parameter - rate m / (root_scale sqrt(v) + epsilon).
template <class Real>
struct AdamWUpdate {
  Real beta1 = 0;
  Real beta2 = 0;
  Real rest1 = 0;  ///< 1 - beta1
  Real rest2 = 0;  ///< 1 - beta2
  Real keep = 0;
  Real rate = 0;
  Real root_scale = 0;
  Real epsilon = 0;
};

template <class Real>
struct TokenKernels {
  void (*shift_mix_forward)(const ShiftMixRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*shift_mix_backward)(const ShiftMixRows<Real>& rows, std::int64_t begin, std::int64_t end);
  /// sigmoid(r) y of `count` numbers.
  void (*gate_forward)(const Real* r, const Real* y, std::int64_t count, Real* out);
  void (*gate_backward)(const Real* r, const Real* y, const Real* grad, std::int64_t count,
                        Real* grad_r, Real* grad_y);
  /// max(0, x)^2 of `count` numbers.
  void (*squared_relu_forward)(const Real* x, std::int64_t count, Real* out);
  void (*squared_relu_backward)(const Real* x, const Real* grad, std::int64_t count, Real* grad_x);
  void (*to_bfloat16)(const Real* x, std::int64_t count, Bfloat16* out);
  /// x steps.
  void (*to_int8)(const Real* x, Real steps, std::int64_t count, Int8* out);
  void (*adamw)(const AdamWUpdate<Real>& update, const Real* gradient, std::int64_t count,
                Real* parameter, Real* moment1, Real* moment2);
  void (*scale_add_forward)(const ScaleAddRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*scale_add_backward)(const ScaleAddRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*layer_norm_forward)(const LayerNormRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*layer_norm_backward)(const LayerNormRows<Real>& rows, std::int64_t begin,
                              std::int64_t end);
  /// Writes the mean of the rows and the sums of squared distances from it, per channel.
  void (*moments)(const Real* x, std::int64_t channels, std::int64_t begin, std::int64_t end,
                  Real* mean, Real* squares);
  void (*norm_relu_forward)(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*norm_relu_sums)(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end);
  void (*norm_relu_backward)(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end);
};

}  // namespace medurwkv::kernels
