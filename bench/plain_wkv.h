// The peer of the bi-WKV benchmarks: the plain way to write it, a float scan over each channel from
// both sides that keeps (largest exponent, sums relative to it) and calls expf; and its gradient,
// written alike.
#pragma once

#include <cstdint>

namespace medurwkv::bench {

/// Exact mode; arrays as in kernels/bi_wkv.h. `work` holds 3 x tokens floats.
void plain_wkv_forward(std::int64_t batch, std::int64_t tokens, std::int64_t channels,
                       const float* decay, const float* first, const float* key, const float* value,
                       float* y, float* work);

/// Where a column (one channel of one batch element) lies: its first element, the floats between
/// tokens.
struct PlainColumn {
  std::int64_t tokens = 0;
  std::int64_t stride = 0;
  std::int64_t start = 0;
  float decay = 0;
  float first = 0;
};

/// One column of the above.
void plain_wkv_forward_column(const PlainColumn& column, const float* key, const float* value,
                              float* y, float* work);

struct PlainColumnGradient {
  float decay = 0;
  float first = 0;
};

/// The gradient of sum(y * grad_y): writes the column of grad_key and grad_value. `work` holds 5 x
/// tokens floats.
PlainColumnGradient plain_wkv_backward_column(const PlainColumn& column, const float* key,
                                              const float* value, const float* grad_y,
                                              float* grad_key, float* grad_value, float* work);

}  // namespace medurwkv::bench
