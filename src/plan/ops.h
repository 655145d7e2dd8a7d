// The operations that networks are recorded in. Inputs are listed in their order. Relies on
// plan/op_type.h.
#pragma once

#include <vector>

#include "plan/op_type.h"

namespace medurwkv::plan::op {

// ops/products.cpp
extern const OpType linear;            ///< x, weight, bias (may be missing)
extern const OpType conv2d;            ///< x, weight, bias (may be missing); net::Convolution
extern const OpType conv_transpose2d;  ///< x, weight, bias (may be missing); Stride
// ops/norms.cpp
extern const OpType layer_norm;   ///< x, weight, bias; Epsilon
extern const OpType expand_norm;  ///< x, weight, bias; Expand
extern const OpType batch_norm;   ///< x, weight, bias, running mean, running variance; Epsilon
extern const OpType norm_relu;    ///< the same
// ops/elements.cpp
extern const OpType relu, gelu, sigmoid, tanh, squared_relu;  ///< x
/// a, b; b has a's last sides and is repeated over the others.
extern const OpType add, subtract, multiply;
extern const OpType scale_add;  ///< x, scale, branch
extern const OpType gate;       ///< receptance, y
// ops/tokens.cpp
extern const OpType shift;        ///< x; net::Grid
extern const OpType shift_mix;    ///< x, then a mix for each output; net::Grid
extern const OpType bi_wkv;       ///< key, value, decay, first; net::WkvMode
extern const OpType deform_attn;  ///< values, offsets, weights; net::DeformableAttention
extern const OpType mean_tokens;  ///< x
extern const OpType expand;       ///< x; Expand
// ops/places.cpp
extern const OpType to_tokens;  ///< x
extern const OpType to_map;     ///< x; net::Grid
extern const OpType row;        ///< x; Range
extern const OpType slice;      ///< x; Range
extern const OpType crop;       ///< x; net::Grid
extern const OpType concat;     ///< any number of parts
extern const OpType pad_edge;   ///< x; net::Grid
extern const OpType resize;     ///< x; Resize
extern const OpType max_pool;   ///< x; Pool

/// All of them.
const std::vector<const OpType*>& all();

}  // namespace medurwkv::plan::op
