// shift_mix: a token's channels mixed with those of its four neighbours (Vision-RWKV, arXiv
// 2403.02308, "Q-Shift"): with s = the four quarters of the channels taken from the left, right,
// upper, lower neighbour (zero outside), y = s + (x - s) mix. Several mixes of one x at once.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/token_kernels.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels {

/// x is batch x height x width x channels, row-major; group n of the channels is floor(n C / 4) to
/// floor((n + 1) C / 4) - 1.
struct ShiftMixShape {
  std::int64_t batch = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
};

/// Bytes of workspace.
template <class Real>
std::int64_t shift_mix_forward_workspace(const ShiftMixShape& shape);
template <class Real>
std::int64_t shift_mix_backward_workspace(const ShiftMixShape& shape, std::int64_t mixes);

/// One y for each mix (one value per channel), at most 3. Same bits on any number of threads.
template <class Real>
void shift_mix_forward(const ShiftMixShape& shape, const Real* x,
                       std::span<const Real* const> mixes, std::span<Real* const> y,
                       Workspace workspace);

void shift_mix_forward(const ShiftMixShape& shape, const float* x,
                       std::span<const float* const> mixes, std::span<Bfloat16* const> y,
                       Workspace workspace);
/// Each y times its steps.
void shift_mix_forward(const ShiftMixShape& shape, const float* x,
                       std::span<const float* const> mixes, std::span<const float> steps,
                       std::span<Int8* const> y, Workspace workspace);

/// Gradients of sum over the mixes of y * grad_y.
template <class Real>
void shift_mix_backward(const ShiftMixShape& shape, const Real* x,
                        std::span<const Real* const> mixes, std::span<const Real* const> grad_y,
                        Real* grad_x, std::span<Real* const> grad_mixes, Workspace workspace);

}  // namespace medurwkv::kernels
