#include "train/pretraining/mixing.h"

#include <algorithm>
#include <cmath>

namespace medurwkv::train {
namespace {

/// Positions of the random numbers of a batch.
enum Draw : std::uint64_t { draw_kind, draw_centre_x, draw_centre_y, draw_gamma = 16 };

/// A number of the Gamma distribution of shape at least 1. `at`: the first position of its random
/// numbers; each try takes three.
double gamma_number(const Random& random, std::uint64_t at, double shape) {
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (std::uint64_t i = 0;; ++i) {
    const std::uint64_t start = at + 3 * i;
    const double u1 = 1 - random.uniform(start);
    const double angle = 2 * 3.14159265358979323846 * random.uniform(start + 1);
    const double normal = std::sqrt(-2 * std::log(u1)) * std::cos(angle);
    const double v = std::pow(1 + c * normal, 3);
    if (v <= 0) continue;
    const double u = 1 - random.uniform(start + 2);
    if (std::log(u) < normal * normal / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

/// Of any shape: shape + 1, and a power of a uniform number.
double any_gamma_number(const Random& random, std::uint64_t at, double shape) {
  if (shape >= 1) return gamma_number(random, at, shape);
  const double u = 1 - random.uniform(at);
  return gamma_number(random, at + 1, shape + 1) * std::pow(u, 1 / shape);
}

at::Tensor swapped(const at::Tensor& x) {
  std::vector<std::int64_t> sides = x.sizes().vec();
  std::vector<std::int64_t> pairs = sides;
  pairs[0] /= 2;
  pairs.insert(pairs.begin() + 1, 2);
  return x.reshape(pairs).flip({1}).reshape(sides);
}

}  // namespace

double beta_number(const Random& random, double shape) {
  // Far apart, so that the tries of one never meet those of the other.
  const double a = any_gamma_number(random, draw_gamma, shape);
  const double b = any_gamma_number(random, draw_gamma + (std::uint64_t{1} << 32), shape);
  return a + b > 0 ? a / (a + b) : 0.5;
}

at::Tensor smoothed(const std::vector<std::int64_t>& labels, std::int64_t classes,
                    double smoothing) {
  const auto count = std::ssize(labels);
  at::Tensor out = at::full({count, classes}, smoothing / static_cast<double>(classes), at::kFloat);
  for (std::int64_t i = 0; i < count; ++i) {
    out[i][labels[static_cast<std::size_t>(i)]] += 1 - smoothing;
  }
  return out;
}

void mix(at::Tensor& images, at::Tensor& probabilities, const MixSettings& settings,
         const Random& random) {
  if (images.size(0) % 2 != 0 || (settings.mixup <= 0 && settings.cutmix <= 0)) return;
  const bool cut = settings.cutmix > 0 && (settings.mixup <= 0 || random.uniform(draw_kind) < 0.5);
  double share = beta_number(random, cut ? settings.cutmix : settings.mixup);
  if (cut) {
    const std::int64_t height = images.size(2);
    const std::int64_t width = images.size(3);
    const double side = std::sqrt(1 - share);
    const auto part = [&](std::int64_t length, Draw draw) {
      const auto half = static_cast<std::int64_t>(side * static_cast<double>(length)) / 2;
      const auto centre =
          static_cast<std::int64_t>(random.below(draw, static_cast<std::uint64_t>(length)));
      const std::int64_t begin = std::max<std::int64_t>(0, centre - half);
      return std::pair(begin, std::min(length, centre + half) - begin);
    };
    const auto [left, across] = part(width, draw_centre_x);
    const auto [top, down] = part(height, draw_centre_y);
    share = 1 - static_cast<double>(across * down) / static_cast<double>(width * height);
    if (across > 0 && down > 0) {
      at::Tensor window = images.narrow(2, top, down).narrow(3, left, across);
      window.copy_(swapped(window.contiguous()));
    }
  } else {
    images = images * share + swapped(images) * (1 - share);
  }
  probabilities = probabilities * share + swapped(probabilities) * (1 - share);
}

}  // namespace medurwkv::train
