// The two attentions in ONNX's standard operators. Relies on onnx/sides.h and net/ops.h.
#pragma once

#include <cstdint>

#include "net/ops.h"
#include "onnx/sides.h"

namespace medurwkv::onnx {

/// Decay and first beyond it make exp(key + place decay) overflow float32.
inline constexpr double most_decay = 60;

struct WkvInputs {
  Name key, value;    ///< batch x tokens x channels
  Name decay, first;  ///< channels
  std::int64_t tokens = 0;
};

/// bi-WKV (kernels/bi_wkv.h) in time linear in tokens. With places p_i = i - (T - 1) / 2,
/// exp(k_i - |t - i| w) is exp(k_i + p_i w) exp(-p_t w) before t and exp(k_i - p_i w) exp(p_t w)
/// behind it, so that running sums of the first factors give all tokens' sums. The largest key is
/// taken off first. All terms are positive, so nothing is lost in the sums. The e of released32 is
/// left out: it is 1e-6 of the largest weight, and so changes a result by 1e-6 of itself.
Name bi_wkv(Graph& graph, const Sides& sides, net::WkvMode mode, const WkvInputs& in);

struct DeformInputs {
  Name values, offsets, weights;  ///< as deform_attn of net/ops.h takes them
  std::int64_t width = 0;         ///< channels of the values, over all heads
};

/// Deformable attention by GridSample, a head in each image of the batch.
Name deform_attn(Graph& graph, const Sides& sides, const net::DeformableAttention& where,
                 const DeformInputs& in);

}  // namespace medurwkv::onnx
