#include "predict/regions.h"

#include <algorithm>
#include <cmath>

namespace medurwkv::predict {
namespace {

/// log(1 / (1 + exp(-x))), without overflow.
double log_sigmoid(double x) {
  return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x)));
}

}  // namespace

std::vector<float> class_logits(std::span<const float> planes, const Regions& regions) {
  const std::size_t count = regions.size();
  const std::size_t pixels = planes.size() / count;
  std::vector<float> out(planes.size() + pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    double later = 0;  // log of the probability that no later region holds the pixel
    for (std::size_t c = count; c > 0; --c) {
      const double z = std::clamp<double>(planes[(c - 1) * pixels + i], -1e4, 1e4);
      out[c * pixels + i] = static_cast<float>(log_sigmoid(z) + later);
      later += log_sigmoid(-z);
    }
    out[i] = static_cast<float>(later);
  }
  return out;
}

}  // namespace medurwkv::predict
