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

}  // namespace

void plain_wkv_forward(std::int64_t batch, std::int64_t tokens, std::int64_t channels,
                       const float* decay, const float* first, const float* key, const float* value,
                       float* y, float* work) {
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t start = n * tokens * channels + c;
      Scan behind;
      for (std::int64_t t = tokens - 1; t >= 0; --t) {
        work[3 * t] = behind.top;
        work[3 * t + 1] = behind.a;
        work[3 * t + 2] = behind.b;
        behind.add(key[start + t * channels], value[start + t * channels], decay[c]);
      }
      Scan before;
      for (std::int64_t t = 0; t < tokens; ++t) {
        const float k = key[start + t * channels];
        const float v = value[start + t * channels];
        const float top = std::max({first[c] + k, before.top, work[3 * t]});
        const float own = expf(first[c] + k - top);
        const float past = expf(before.top - top);
        const float future = expf(work[3 * t] - top);
        y[start + t * channels] = (own * v + past * before.a + future * work[3 * t + 1]) /
                                  (own + past * before.b + future * work[3 * t + 2]);
        before.add(k, v, decay[c]);
      }
    }
  }
}

}  // namespace medurwkv::bench
