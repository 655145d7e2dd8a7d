// bi-WKV, the attention of Vision-RWKV at linear cost: for every token a weighted mean of the
// values of all tokens, with weights that fall exponentially with the distance. Relies on core.
//
// With T tokens, per batch element and channel (w = decay, u = first, k = key, v = value):
//   y_t = sum_i W[t,i] v_i / (sum_i W[t,i] + e)
// `exact` (Vision-RWKV, arXiv 2403.02308, equation 4): e = 0, W[t,i] = exp(k_i - (|t-i| - 1) w) for
// i != t, W[t,t] = exp(u + k_t).
// `released32` and `released16` are what the published CUDA kernels compute, and so what published
// weights were trained with. Tokens are cut into n = 32 (released16: 16) chunks of L = ceil(T / n);
// s = L floor(t / L):
//   i < s: exp(k_i - (t-i) w);  s <= i < t: exp(k_i - (t-i-1) w);  i = t: exp(u + k_t);
//   i > t: exp(k_i - (i-t) w);  s < i <= t: additionally exp(k_i + (t-i) w) (1 - exp(w)).
// released32 has e = 1e-6 exp(m_t), where m_t is the kernel's running maximum: the largest exponent
// above, of k_i - (i-t) w for all i >= s, and of k_i + (t-i+1) w for s < i <= t. released16 has e =
// 0. In the gradient e counts as a constant.
#pragma once

#include <cstdint>

#include "kernels/workspace.h"

namespace medurwkv::kernels {

enum class WkvMode {
  exact,       ///< the formula of the papers
  released32,  ///< today's published kernel
  released16,  ///< the segmentation code of 2024
};

/// Arrays are batch x tokens x channels, row-major; decay and first have one value per channel and
/// are already divided by the number of tokens. Decay may have either sign.
struct WkvShape {
  std::int64_t batch = 0;
  std::int64_t tokens = 0;
  std::int64_t channels = 0;
};

template <class Real>
struct WkvInput {
  const Real* decay = nullptr;
  const Real* first = nullptr;
  const Real* key = nullptr;
  const Real* value = nullptr;
};

template <class Real>
struct WkvGradient {
  Real* decay = nullptr;  ///< summed over batch and tokens
  Real* first = nullptr;  ///< summed over batch and tokens
  Real* key = nullptr;
  Real* value = nullptr;
};

/// Tokens per chunk of a mode (exact: all).
constexpr std::int64_t wkv_chunk(WkvMode mode, std::int64_t tokens) {
  if (mode == WkvMode::exact) return tokens;
  const std::int64_t chunks = mode == WkvMode::released32 ? 32 : 16;
  return (tokens + chunks - 1) / chunks;
}

/// Bytes of workspace. Decay and first decide whether the reference is needed.
template <class Real>
std::int64_t bi_wkv_forward_workspace(const WkvShape& shape, WkvMode mode, const Real* decay,
                                      const Real* first);
template <class Real>
std::int64_t bi_wkv_backward_workspace(const WkvShape& shape, WkvMode mode, const Real* decay,
                                       const Real* first);

/// Time and working memory linear in tokens. Parallel over batch x strips of channels. From 2048
/// tokens on, if there are fewer strips than threads, also over blocks of tokens: whether they are
/// split may change the forward pass's bits. float runs on the chosen instruction set
/// (kernels/isa.h). double, a single token, and strips with a decay or first beyond the vector
/// kernels' limits run on the reference.
template <class Real>
void bi_wkv_forward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in, Real* y,
                    Workspace workspace);

/// Gradient of sum(y * grad_y).
template <class Real>
void bi_wkv_backward(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                     const Real* grad_y, const WkvGradient<Real>& grad, Workspace workspace);

}  // namespace medurwkv::kernels
