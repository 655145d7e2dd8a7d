#include "kernels/ref/deform_attn.h"

#include <algorithm>
#include <cmath>

#define MEDURWKV_KERNEL_NAMESPACE ref
#include "kernels/deform_attn_loops.h"

namespace medurwkv::kernels::ref {
namespace {

/// The four neighbours of a place in a level: the shares of each, and which lie inside.
template <class Real>
struct Corners {
  std::int64_t token[4];  // upper left, upper right, lower left, lower right
  bool inside[4];
  Real right, down;  // how far the place lies towards the right and lower neighbours

  [[nodiscard]] Real share(int corner) const {
    const Real across = corner % 2 == 0 ? 1 - right : right;
    const Real along = corner < 2 ? 1 - down : down;
    return across * along;
  }
};

/// x and y in pixels of the level, pixel centres at whole numbers. A NaN, or a place beyond 2^40,
/// lies outside.
template <class Real>
Corners<Real> corners_at(const DeformGrid& level, Real x, Real y) {
  Corners<Real> out{};
  constexpr Real far = 1099511627776.0;
  if (!(x > -far && x < far && y > -far && y < far)) return out;
  auto column = static_cast<std::int64_t>(x);
  auto row = static_cast<std::int64_t>(y);
  if (static_cast<Real>(column) > x) --column;
  if (static_cast<Real>(row) > y) --row;
  out.right = x - static_cast<Real>(column);
  out.down = y - static_cast<Real>(row);
  for (int corner = 0; corner < 4; ++corner) {
    const std::int64_t at_column = column + corner % 2;
    const std::int64_t at_row = row + corner / 2;
    out.inside[corner] =
        at_column >= 0 && at_row >= 0 && at_column < level.width && at_row < level.height;
    out.token[corner] = level.start + at_row * level.width + at_column;
  }
  return out;
}

template <class Real>
class PlainChannels {
 public:
  PlainChannels(const DeformHead<Real>& head, const Samples<Real>& samples)
      : head_(head), samples_(samples) {}

  void find(const QueryGroup<Real>& group) const {
    for (std::int64_t n = 0; n < group.count; ++n) {
      const QueryPlace<Real> place(head_, group.first + n);
      softmax(head_.in.weights + place.weights, samples_.attention + n * head_.samples);
      const Real* offset = head_.in.offsets + place.offsets;
      std::int64_t sample = n * head_.samples;
      for (std::int64_t i = 0; i < head_.level_count; ++i) {
        const DeformGrid& level = head_.levels[i];
        const Real centre_x = group.x[n] * static_cast<Real>(level.width) - Real{0.5};
        const Real centre_y = group.y[n] * static_cast<Real>(level.height) - Real{0.5};
        for (std::int64_t point = 0; point < head_.points; ++point, offset += 2) {
          put(sample++, corners_at<Real>(level, centre_x + offset[0], centre_y + offset[1]));
        }
      }
    }
  }

  /// to = sum over the corners of samples [first, first + count) of factor (values at the token),
  /// whose rows of `width` numbers lie `stride` apart.
  static void combine(const Real* values, std::int64_t stride, const Samples<Real>& samples,
                      std::int64_t first, std::int64_t count, std::int64_t width, Real* to) {
    for (std::int64_t i = 0; i < width; ++i) {
      Real sum = 0;
      each_corner(samples, first, count, [&](Real factor, std::int64_t token) {
        sum += factor * values[token * stride + i];
      });
      to[i] = sum;
    }
  }

  /// For each corner of one sample whose row is at least 0: adds the result's gradient times the
  /// factor to the row's gradient, and writes its dot product with the row's values to `dots`.
  static void gradient(const Real* grad, const Real* values, const std::int64_t* rows,
                       const Real* factors, std::int64_t count, Real* grad_values, Real* dots) {
    for (int corner = 0; corner < 4; ++corner) {
      dots[corner] = 0;
      if (rows[corner] < 0) continue;
      double sum = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        sum += static_cast<double>(grad[i]) * static_cast<double>(values[rows[corner] + i]);
        grad_values[rows[corner] + i] += factors[corner] * grad[i];
      }
      dots[corner] = static_cast<Real>(sum);
    }
  }

 private:
  void softmax(const Real* from, Real* to) const {
    const Real largest = *std::max_element(from, from + head_.samples);
    Real sum = 0;
    for (std::int64_t i = 0; i < head_.samples; ++i) sum += to[i] = std::exp(from[i] - largest);
    for (std::int64_t i = 0; i < head_.samples; ++i) to[i] /= sum;
  }

  void put(std::int64_t sample, const Corners<Real>& corners) const {
    samples_.right[sample] = corners.right;
    samples_.down[sample] = corners.down;
    for (int corner = 0; corner < 4; ++corner) {
      const std::int64_t at = corner * samples_.stride + sample;
      samples_.factor[at] = samples_.attention[sample] * corners.share(corner);
      samples_.token[at] =
          corners.inside[corner] ? static_cast<std::int32_t>(corners.token[corner]) : -1;
    }
  }

  const DeformHead<Real>& head_;
  const Samples<Real>& samples_;
};

}  // namespace

template <class Real>
void deform_forward(const DeformHead<Real>& head) {
  deform_forward_head<PlainChannels<Real>>(head);
}

template <class Real>
void deform_backward(const DeformHead<Real>& head) {
  deform_backward_head<PlainChannels<Real>>(head);
}

template void deform_forward(const DeformHead<float>&);
template void deform_forward(const DeformHead<double>&);
template void deform_backward(const DeformHead<float>&);
template void deform_backward(const DeformHead<double>&);

}  // namespace medurwkv::kernels::ref
