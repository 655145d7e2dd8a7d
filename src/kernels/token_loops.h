// The loops of kernels/token_kernels.h, written once. A file that includes this defines
// MEDURWKV_KERNEL_NAMESPACE, one per instruction set, and supplies `Channels`: exp, square root,
// sums over a row, and writing one. The compiler vectorises the other loops. Nothing of the
// standard library is used, as in kernels/vector/simd.h.
#pragma once

#include <cstdint>

#include "kernels/token_kernels.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

template <class Real>
void put(Real value, Real /*steps*/, Real* to) {
  *to = value;
}

/// A NaN that arithmetic makes stays one.
template <class Real>
void put(Real value, Real /*steps*/, Bfloat16* to) {
  const auto bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(value));
  *to = static_cast<Bfloat16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <class Real>
void put(Real value, Real steps, Int8* to) {
  const auto many = static_cast<float>(value * steps);
  const float held = many < -127.F ? -127.F : many > 127.F ? 127.F : many;
  // A float of this size has no fraction, and its lowest byte is the number that was added.
  const auto bits = __builtin_bit_cast(std::uint32_t, held + 12582912.F);
  *to = static_cast<Int8>(static_cast<std::int8_t>(bits));
}

template <class Real>
void copy_or_zero(const Real* from, std::int64_t count, Real* __restrict to) {
  if (from == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = 0;
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

/// Fills `to` with the four quarters of the channels from the left, right, upper and lower
/// neighbour's row of `array` (or, `back`, from the opposite ones), zeros outside the grid.
template <class Real>
void gather_neighbours(const ShiftMixRows<Real>& rows, std::int64_t row, const Real* array,
                       bool back, Real* to) {
  const std::int64_t channels = rows.channels;
  const std::int64_t column = row % rows.width;
  const std::int64_t line = row / rows.width % rows.height;
  const bool before_inside[2]{column > 0, line > 0};
  const bool after_inside[2]{column + 1 < rows.width, line + 1 < rows.height};
  const std::int64_t distance[2]{1, rows.width};
  for (std::int64_t group = 0; group < 4; ++group) {
    const std::int64_t side = group / 2;
    const bool before = (group % 2 == 0) != back;
    const bool inside = before ? before_inside[side] : after_inside[side];
    const std::int64_t neighbour = before ? row - distance[side] : row + distance[side];
    const std::int64_t begin = group * channels / 4;
    copy_or_zero(inside ? array + neighbour * channels + begin : nullptr,
                 (group + 1) * channels / 4 - begin, to + begin);
  }
}

template <class Channels, class Real, class Out>
void shift_mix_rows_to(const ShiftMixRows<Real>& rows, Out* const* outputs, std::int64_t begin,
                       std::int64_t end) {
  const std::int64_t channels = rows.channels;
  for (std::int64_t row = begin; row < end; ++row) {
    gather_neighbours(rows, row, rows.x, false, rows.scratch);
    const Real* __restrict x = rows.x + row * channels;
    const Real* __restrict shifted = rows.scratch;
    for (std::int64_t m = 0; m < rows.mixes; ++m) {
      const Real* __restrict mix = rows.mix[m];
      Out* __restrict y = outputs[m] + row * channels;
      const auto mixed = [=](std::int64_t c, std::int64_t n) {
        const auto from = Channels::some(shifted + c, n);
        return from + (Channels::some(x + c, n) - from) * Channels::some(mix + c, n);
      };
      Channels::write(channels, rows.steps[m], mixed, y);
    }
  }
}

template <class Channels, class Real>
void shift_mix_forward_rows(const ShiftMixRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  if (rows.narrow[0] != nullptr) return shift_mix_rows_to<Channels>(rows, rows.narrow, begin, end);
  if (rows.whole[0] != nullptr) return shift_mix_rows_to<Channels>(rows, rows.whole, begin, end);
  shift_mix_rows_to<Channels>(rows, rows.y, begin, end);
}

template <class Real>
void shift_mix_backward_rows(const ShiftMixRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  Real* __restrict shifted = rows.scratch;
  for (std::int64_t row = begin; row < end; ++row) {
    gather_neighbours(rows, row, rows.x, false, shifted);
    const Real* __restrict x = rows.x + row * channels;
    Real* __restrict grad_x = rows.grad_x + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) grad_x[c] = 0;
    for (std::int64_t m = 0; m < rows.mixes; ++m) {
      Real* __restrict given = rows.scratch + (1 + m) * channels;
      gather_neighbours(rows, row, rows.grad_y[m], true, given);
      const Real* __restrict grad = rows.grad_y[m] + row * channels;
      const Real* __restrict mix = rows.mix[m];
      Real* __restrict sums = rows.grad_mix + m * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        grad_x[c] += grad[c] * mix[c] + given[c] * (1 - mix[c]);
      }
      for (std::int64_t c = 0; c < channels; ++c) sums[c] += grad[c] * (x[c] - shifted[c]);
    }
  }
}

template <class Channels, class Real>
void gate_forward_run(const Real* __restrict r, const Real* __restrict y, std::int64_t count,
                      Real* __restrict out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = y[i] / (1 + Channels::exponential(-r[i]));
}

template <class Channels, class Real>
void gate_backward_run(const Real* __restrict r, const Real* __restrict y,
                       const Real* __restrict grad, std::int64_t count, Real* __restrict grad_r,
                       Real* __restrict grad_y) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Real open = 1 / (1 + Channels::exponential(-r[i]));
    grad_y[i] = grad[i] * open;
    grad_r[i] = grad[i] * y[i] * (open * (1 - open));
  }
}

template <class Real>
void squared_relu_forward_run(const Real* __restrict x, std::int64_t count, Real* __restrict out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Real positive = x[i] > 0 ? x[i] : 0;
    out[i] = positive * positive;
  }
}

template <class Real>
void squared_relu_backward_run(const Real* __restrict x, const Real* __restrict grad,
                               std::int64_t count, Real* __restrict grad_x) {
  for (std::int64_t i = 0; i < count; ++i) grad_x[i] = x[i] > 0 ? 2 * x[i] * grad[i] : 0;
}

template <class Channels, class Real>
void to_bfloat16_run(const Real* x, std::int64_t count, Bfloat16* out) {
  const auto same = [=](std::int64_t i, std::int64_t n) { return Channels::some(x + i, n); };
  Channels::write(count, Real{1}, same, out);
}

template <class Channels, class Real>
void to_int8_run(const Real* x, Real steps, std::int64_t count, Int8* out) {
  const auto same = [=](std::int64_t i, std::int64_t n) { return Channels::some(x + i, n); };
  Channels::write(count, steps, same, out);
}

template <class Channels, class Real>
void adamw_run(const AdamWUpdate<Real>& update, const Real* __restrict gradient, std::int64_t count,
               Real* __restrict parameter, Real* __restrict moment1, Real* __restrict moment2) {
  const AdamWUpdate<Real> by = update;
  for (std::int64_t i = 0; i < count; ++i) {
    const Real m = moment1[i] * by.beta1 + gradient[i] * by.rest1;
    const Real v = moment2[i] * by.beta2 + gradient[i] * gradient[i] * by.rest2;
    moment1[i] = m;
    moment2[i] = v;
    const Real divisor = Channels::root(v) * by.root_scale + by.epsilon;
    parameter[i] = parameter[i] * by.keep - by.rate * m / divisor;
  }
}

template <class Real>
void scale_add_forward_rows(const ScaleAddRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const Real* __restrict scale = rows.scale;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    const Real* __restrict branch = rows.branch + row * channels;
    Real* __restrict y = rows.y + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) y[c] = x[c] + branch[c] * scale[c];
  }
}

template <class Real>
void scale_add_backward_rows(const ScaleAddRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const Real* __restrict scale = rows.scale;
  Real* __restrict sums = rows.grad_scale;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict grad = rows.grad_y + row * channels;
    const Real* __restrict branch = rows.branch + row * channels;
    Real* __restrict to = rows.grad_branch + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      to[c] = grad[c] * scale[c];
      sums[c] += grad[c] * branch[c];
    }
  }
}

template <class Channels, class Real, class Out>
void layer_norm_rows_to(const LayerNormRows<Real>& rows, Out* output, std::int64_t begin,
                        std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const auto count = static_cast<Real>(channels);
  const Real* __restrict weight = rows.weight;
  const Real* __restrict bias = rows.bias;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    Out* __restrict y = output + rows.target(row) * channels;
    const Real mean = Channels::sum(x, channels) / count;
    const Real variance = Channels::squares(x, mean, channels) / count;
    const Real deviation = 1 / Channels::root(variance + rows.epsilon);
    rows.mean[row] = mean;
    rows.deviation[row] = deviation;
    const auto normed = [=](std::int64_t c, std::int64_t n) {
      return (Channels::some(x + c, n) - mean) * deviation * Channels::some(weight + c, n) +
             Channels::some(bias + c, n);
    };
    Channels::write(channels, rows.steps, normed, y);
  }
}

template <class Channels, class Real>
void layer_norm_forward_rows(const LayerNormRows<Real>& rows, std::int64_t begin,
                             std::int64_t end) {
  if (rows.narrow != nullptr) {
    layer_norm_rows_to<Channels>(rows, rows.narrow, begin, end);
  } else if (rows.whole != nullptr) {
    layer_norm_rows_to<Channels>(rows, rows.whole, begin, end);
  } else {
    layer_norm_rows_to<Channels>(rows, rows.y, begin, end);
  }
}

template <class Channels, class Real>
void layer_norm_backward_rows(const LayerNormRows<Real>& rows, std::int64_t begin,
                              std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const auto count = static_cast<Real>(channels);
  const Real* __restrict weight = rows.weight;
  Real* __restrict grad_weight = rows.grad_weight;
  Real* __restrict grad_bias = rows.grad_bias;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    const Real* __restrict grad = rows.grad_y + rows.target(row) * channels;
    Real* __restrict grad_x = rows.grad_x + row * channels;
    const Real mean = rows.mean[row];
    const Real deviation = rows.deviation[row];
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real normed = (x[c] - mean) * deviation;
      grad_bias[c] += grad[c];
      grad_weight[c] += grad[c] * normed;
    }
    const Real mean_grad = Channels::dot(grad, weight, channels) / count;
    const Real mean_normed =
        Channels::dot_from(grad, weight, x, mean, channels) * deviation / count;
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real normed = (x[c] - mean) * deviation;
      grad_x[c] = (grad[c] * weight[c] - mean_grad - normed * mean_normed) * deviation;
    }
  }
}

template <class Real>
void moments_of_rows(const Real* x, std::int64_t channels, std::int64_t begin, std::int64_t end,
                     Real* __restrict mean, Real* __restrict squares) {
  for (std::int64_t c = 0; c < channels; ++c) mean[c] = squares[c] = 0;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict from = x + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) mean[c] += from[c];
  }
  const auto count = static_cast<Real>(end - begin);
  for (std::int64_t c = 0; c < channels; ++c) mean[c] /= count;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict from = x + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real off = from[c] - mean[c];
      squares[c] += off * off;
    }
  }
}

template <class Real>
void norm_relu_forward_rows(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const Real* __restrict slope = rows.slope;
  const Real* __restrict shift = rows.shift;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    Real* __restrict y = rows.y + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real normed = x[c] * slope[c] + shift[c];
      y[c] = normed > 0 ? normed : 0;
    }
  }
}

template <class Real>
void norm_relu_sums_rows(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const Real* __restrict mean = rows.mean;
  const Real* __restrict deviation = rows.deviation;
  Real* __restrict sum = rows.sum;
  Real* __restrict sum_normed = rows.sum_normed;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    const Real* __restrict y = rows.y + row * channels;
    const Real* __restrict grad = rows.grad_y + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real whole = grad[c];  // always loaded: else the compiler does not vectorise
      sum[c] += y[c] > 0 ? whole : 0;
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real whole = grad[c];
      sum_normed[c] += (y[c] > 0 ? whole : 0) * ((x[c] - mean[c]) * deviation[c]);
    }
  }
}

template <class Real>
void norm_relu_backward_rows(const NormReluRows<Real>& rows, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = rows.channels;
  const Real* __restrict mean = rows.mean;
  const Real* __restrict deviation = rows.deviation;
  const Real* __restrict mean_grad = rows.mean_grad;
  const Real* __restrict mean_normed = rows.mean_normed;
  const Real* __restrict slope = rows.slope;
  for (std::int64_t row = begin; row < end; ++row) {
    const Real* __restrict x = rows.x + row * channels;
    const Real* __restrict y = rows.y + row * channels;
    const Real* __restrict grad = rows.grad_y + row * channels;
    Real* __restrict grad_x = rows.grad_x + row * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const Real normed = (x[c] - mean[c]) * deviation[c];
      const Real whole = grad[c];  // always loaded: else the compiler does not vectorise
      const Real passed = y[c] > 0 ? whole : 0;
      grad_x[c] = (passed - mean_grad[c] - normed * mean_normed[c]) * slope[c];
    }
  }
}

template <class Channels, class Real>
constexpr TokenKernels<Real> token_kernels_of() {
  return {.shift_mix_forward = shift_mix_forward_rows<Channels, Real>,
          .shift_mix_backward = shift_mix_backward_rows<Real>,
          .gate_forward = gate_forward_run<Channels, Real>,
          .gate_backward = gate_backward_run<Channels, Real>,
          .squared_relu_forward = squared_relu_forward_run<Real>,
          .squared_relu_backward = squared_relu_backward_run<Real>,
          .to_bfloat16 = to_bfloat16_run<Channels, Real>,
          .to_int8 = to_int8_run<Channels, Real>,
          .adamw = adamw_run<Channels, Real>,
          .scale_add_forward = scale_add_forward_rows<Real>,
          .scale_add_backward = scale_add_backward_rows<Real>,
          .layer_norm_forward = layer_norm_forward_rows<Channels, Real>,
          .layer_norm_backward = layer_norm_backward_rows<Channels, Real>,
          .moments = moments_of_rows<Real>,
          .norm_relu_forward = norm_relu_forward_rows<Real>,
          .norm_relu_sums = norm_relu_sums_rows<Real>,
          .norm_relu_backward = norm_relu_backward_rows<Real>};
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
