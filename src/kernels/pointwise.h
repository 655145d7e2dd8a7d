// Element-wise operations: the gate, the squared ReLU and the scaled residual of Vision-RWKV's
// block (arXiv 2403.02308), and AdamW's update. Each is one pass over memory, with the same bits on
// any number of threads.
#pragma once

#include <cstdint>

#include "kernels/token_kernels.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels {

/// out = sigmoid(r) y, `count` numbers each.
template <class Real>
void gate_forward(std::int64_t count, const Real* r, const Real* y, Real* out);
template <class Real>
void gate_backward(std::int64_t count, const Real* r, const Real* y, const Real* grad_out,
                   Real* grad_r, Real* grad_y);

/// out = max(0, x)^2.
template <class Real>
void squared_relu_forward(std::int64_t count, const Real* x, Real* out);
template <class Real>
void squared_relu_backward(std::int64_t count, const Real* x, const Real* grad_out, Real* grad_x);

void to_bfloat16(std::int64_t count, const float* x, Bfloat16* out);
/// x steps.
void to_int8(std::int64_t count, const float* x, float steps, Int8* out);

/// One update of AdamW on `count` numbers each.
template <class Real>
void adamw(const AdamWUpdate<Real>& update, std::int64_t count, const Real* gradient,
           Real* parameter, Real* moment1, Real* moment2);

/// y = x + scale branch; x, branch and y are rows x channels, scale has one value per channel.
template <class Real>
void scale_add_forward(std::int64_t rows, std::int64_t channels, const Real* x, const Real* scale,
                       const Real* branch, Real* y);
/// Bytes of workspace.
template <class Real>
std::int64_t scale_add_backward_workspace(std::int64_t rows, std::int64_t channels);
/// x's gradient is grad_y itself.
template <class Real>
void scale_add_backward(std::int64_t rows, std::int64_t channels, const Real* scale,
                        const Real* branch, const Real* grad_y, Real* grad_scale, Real* grad_branch,
                        Workspace workspace);

}  // namespace medurwkv::kernels
