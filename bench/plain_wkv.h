// The peer of the bi-WKV benchmarks: the plain way to write it, a float scan over each channel from
// both sides that keeps (largest exponent, sums relative to it) and calls expf.
#pragma once

#include <cstdint>

namespace medurwkv::bench {

/// Exact mode; arrays as in kernels/bi_wkv.h. `work` holds 3 x tokens floats.
void plain_wkv_forward(std::int64_t batch, std::int64_t tokens, std::int64_t channels,
                       const float* decay, const float* first, const float* key, const float* value,
                       float* y, float* work);

}  // namespace medurwkv::bench
