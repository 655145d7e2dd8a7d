// What a lowered plan does in one pass instead of several. Relies on plan/plan.h.
#pragma once

#include "plan/plan.h"

namespace medurwkv::native {

// Linear maps (x, weight, bias; the bias may be missing) with what follows them; base, r and y have
// the result's shape.
extern const plan::OpType linear_sigmoid;       ///< x, weight, bias
extern const plan::OpType linear_squared_relu;  ///< x, weight, bias
extern const plan::OpType linear_gate;          ///< y, x, weight, bias: sigmoid(linear(x)) y
extern const plan::OpType gated_linear;         ///< r, x, weight, bias: r linear(x)
extern const plan::OpType linear_add;           ///< base, x, weight, bias: base + linear(x)
extern const plan::OpType gated_linear_add;     ///< base, r, x, weight, bias: base + r linear(x)
// Convolutions (x, weight, bias; net::Convolution).
extern const plan::OpType conv2d_relu;
extern const plan::OpType conv2d_gelu;
// Of parameters alone, so that they are worked out beforehand.
extern const plan::OpType scaled_rows;  ///< weight, one scale for each of its rows
extern const plan::OpType norm_scale;   ///< norm's weight, running variance; Epsilon
/// Norm's weight, bias, running mean and variance, convolution's bias (may be missing); Epsilon.
extern const plan::OpType normed_bias;

/// The same values but for rounding. A convolution takes in the normalisation behind it, its ReLU
/// or GELU; a linear map the squared ReLU, the gate, the layer scale and the residual behind it.
/// What is read more than once stays.
plan::Plan fuse(const plan::Plan& lowered);

}  // namespace medurwkv::native
