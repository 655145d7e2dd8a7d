#include "plain_wkv.h"

#include <algorithm>
#include <cmath>

namespace medurwkv::bench {
namespace {

struct Scan {
  float top = -1e38F;
  float a = 0;
  float b = 0;

  void add(float key, float value, float decay) {
    const float fallen = top - decay;
    const float next = std::max(fallen, key);
    const float old_weight = expf(fallen - next);
    const float new_weight = expf(key - next);
    a = old_weight * a + new_weight * value;
    b = old_weight * b + new_weight;
    top = next;
  }
};

/// The sums and, weighted with the distance to their end, the sums again: their derivative by the
/// decay but for its sign.
struct DistanceScan {
  float top = -1e38F;
  float a = 0;
  float b = 0;
  float far_a = 0;
  float far_b = 0;

  void add(float key, float value, float decay) {
    const float fallen = top - decay;
    const float next = std::max(fallen, key);
    const float old_weight = expf(fallen - next);
    const float new_weight = expf(key - next);
    far_a = old_weight * (far_a + a);
    far_b = old_weight * (far_b + b);
    a = old_weight * a + new_weight * value;
    b = old_weight * b + new_weight;
    top = next;
  }
};

/// What tokens on one side pass back: sums of h and h y with weights that fall from their own
/// largest exponent.
struct GradientScan {
  float top = -1e38F;
  float h = 0;
  float hy = 0;

  void add(float exponent, float with_h, float with_hy, float decay) {
    const float fallen = top - decay;
    const float next = std::max(fallen, exponent);
    const float old_weight = expf(fallen - next);
    const float new_weight = expf(exponent - next);
    h = old_weight * h + new_weight * with_h;
    hy = old_weight * hy + new_weight * with_hy;
    top = next;
  }
};

/// What the second pass leaves for the third, and what the first left for the second.
struct Token {
  float top, a, b, far_a, far_b;
};

}  // namespace

void plain_wkv_forward_column(const PlainColumn& column, const float* key, const float* value,
                              float* y, float* work) {
  const auto& [tokens, stride, start, decay, first] = column;
  Scan behind;
  for (std::int64_t t = tokens - 1; t >= 0; --t) {
    work[3 * t] = behind.top;
    work[3 * t + 1] = behind.a;
    work[3 * t + 2] = behind.b;
    behind.add(key[start + t * stride], value[start + t * stride], decay);
  }
  Scan before;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float k = key[start + t * stride];
    const float v = value[start + t * stride];
    const float top = std::max({first + k, before.top, work[3 * t]});
    const float own = expf(first + k - top);
    const float past = expf(before.top - top);
    const float future = expf(work[3 * t] - top);
    y[start + t * stride] = (own * v + past * before.a + future * work[3 * t + 1]) /
                            (own + past * before.b + future * work[3 * t + 2]);
    before.add(k, v, decay);
  }
}

void plain_wkv_forward(std::int64_t batch, std::int64_t tokens, std::int64_t channels,
                       const float* decay, const float* first, const float* key, const float* value,
                       float* y, float* work) {
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      plain_wkv_forward_column({.tokens = tokens,
                                .stride = channels,
                                .start = n * tokens * channels + c,
                                .decay = decay[c],
                                .first = first[c]},
                               key, value, y, work);
    }
  }
}

PlainColumnGradient plain_wkv_backward_column(const PlainColumn& column, const float* key,
                                              const float* value, const float* grad_y,
                                              float* grad_key, float* grad_value, float* work) {
  const auto& [tokens, stride, start, decay, first] = column;
  auto* states = reinterpret_cast<Token*>(work);
  DistanceScan behind;
  for (std::int64_t t = tokens - 1; t >= 0; --t) {
    states[t] = {behind.top, behind.a, behind.b, behind.far_a, behind.far_b};
    behind.add(key[start + t * stride], value[start + t * stride], decay);
  }
  PlainColumnGradient out;
  DistanceScan before;
  GradientScan passed;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t at = start + t * stride;
    const Token after = states[t];
    const float top = std::max({first + key[at], before.top, after.top});
    const float own = expf(first + key[at] - top);
    const float past = expf(before.top - top);
    const float future = expf(after.top - top);
    const float divisor = own + past * before.b + future * after.b;
    const float y = (own * value[at] + past * before.a + future * after.a) / divisor;
    const float h = grad_y[at] / divisor;
    out.first += h * own * (value[at] - y);
    out.decay -=
        h * (past * (before.far_a - y * before.far_b) + future * (after.far_a - y * after.far_b));
    const float reach = expf(key[at] + passed.top);
    grad_value[at] = own * h + reach * passed.h;
    grad_key[at] = own * h * (value[at] - y) + reach * (value[at] * passed.h - passed.hy);
    passed.add(-top, h, h * y, decay);
    states[t] = {-top, h, h * y, 0, 0};
    before.add(key[at], value[at], decay);
  }
  GradientScan returned;
  for (std::int64_t t = tokens - 1; t >= 0; --t) {
    const std::int64_t at = start + t * stride;
    const float reach = expf(key[at] + returned.top);
    grad_value[at] += reach * returned.h;
    grad_key[at] += reach * (value[at] * returned.h - returned.hy);
    returned.add(states[t].top, states[t].a, states[t].b, decay);
  }
  return out;
}

}  // namespace medurwkv::bench
