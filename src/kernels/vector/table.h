// What a vector instruction set offers: one table per set, filled by the file compiled for it.
// Relies on the kernels' interfaces alone.
#pragma once

#include <cstdint>

#include "kernels/bi_wkv.h"
#include "kernels/deform_head.h"
#include "kernels/token_kernels.h"

namespace medurwkv::kernels {

/// Sums over all tokens on one side of a strip, per lane. A term is the exponential of an exponent
/// less distance times decay; the distance counts from the token next to the strip. `top` is the
/// largest such exponent, and the sums are relative to it. Sums over tokens: the exponents are the
/// keys; `a` is with the values, `b` without. Sums over outputs, for the gradient: the exponents
/// are -E (kernels/vector/bi_wkv.h); `a` is of h, `b` of h y; `far_a` and `far_b` weight each term
/// by its distance.
struct WkvEdge {
  static constexpr std::int64_t most_lanes = 16;
  static constexpr float nothing = -1e30F;
  float top[most_lanes];
  float a[most_lanes];
  float b[most_lanes];
  float far_a[most_lanes];
  float far_b[most_lanes];
};

/// `lanes` neighbouring channels of one batch element. A token's channels are neighbours, tokens
/// lie `stride` floats apart.
struct WkvStrip {
  std::int64_t tokens = 0;
  std::int64_t stride = 0;
  std::int64_t chunk = 0;  ///< L of the released modes
  WkvMode mode = WkvMode::exact;
  const float* decay = nullptr;  ///< |decay| <= wkv_decay_limit
  const float* first = nullptr;  ///< |first| <= wkv_first_limit
  const float* key = nullptr;
  const float* value = nullptr;
  float* work = nullptr;                    ///< tokens x lanes x wkv_work_arrays floats
  const WkvEdge* before = nullptr;          ///< what lies before the tokens; null: nothing
  const WkvEdge* behind = nullptr;          ///< and behind them
  const WkvEdge* outputs_before = nullptr;  ///< backward: outputs before the tokens
  const WkvEdge* outputs_behind = nullptr;  ///< and behind them
  WkvEdge* after = nullptr;  ///< forward writes the sums before the next token; or null
};

/// The factors of a step are stored as their difference from 1, which loses a factor near 0: hence
/// the limit of the decay. Within the limits the strips' sums stay within float32
/// (kernels/vector/bi_wkv.h). What grows with the distance is held to wkv_growth_limit over its
/// whole reach: the released modes' extra term over a chunk, all weights over all tokens where the
/// decay is negative.
inline constexpr float wkv_decay_limit = 1.5F;
inline constexpr float wkv_first_limit = 30;
inline constexpr float wkv_growth_limit = 15;
inline constexpr std::int64_t wkv_work_arrays = 7;

struct VectorKernels {
  std::int64_t lanes;
  void (*wkv_forward)(const WkvStrip& strip, float* y);
  /// Sums over the strip's tokens: `behind` for the tokens in front of the strip, `before`, unless
  /// null, for those behind it.
  void (*wkv_edges)(const WkvStrip& strip, WkvEdge* before, WkvEdge& behind);
  /// Sums over the strip's outputs: `before` for the tokens behind the strip, `behind` for those in
  /// front of it.
  void (*wkv_output_edges)(const WkvStrip& strip, const float* grad_y, WkvEdge& before,
                           WkvEdge& behind);
  /// Adds to decay and first (`lanes` doubles each); key and value are written with the strip's
  /// stride.
  void (*wkv_backward)(const WkvStrip& strip, const float* grad_y, float* grad_key,
                       float* grad_value, double* grad_decay, double* grad_first);
  void (*deform_forward)(const DeformHead<float>& head);
  void (*deform_backward)(const DeformHead<float>& head);
  TokenKernels<float> tokens;
  /// Operations of one step of fma_loop; the loop's result depends on all of them.
  std::int64_t fma_flops_per_step;
  float (*fma_loop)(std::int64_t steps, float start);
  /// a = b + factor c.
  void (*triad)(float* a, const float* b, const float* c, float factor, std::int64_t count);
};

}  // namespace medurwkv::kernels
