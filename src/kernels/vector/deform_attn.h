// Deformable attention of one head; compiled once per instruction set. Vectors run over a query's
// samples and over a head's channels.
#pragma once

#include "kernels/deform_attn_loops.h"
#include "kernels/vector/simd.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

class VectorChannels {
 public:
  VectorChannels(const DeformHead<float>& head, const Samples<float>& samples)
      : head_(head),
        samples_(samples),
        width_(samples.room + 4 * samples.stride),
        height_(width_ + samples.stride),
        x_(height_ + samples.stride),
        y_(x_ + samples.stride),
        weights_(y_ + samples.stride),
        sums_(weights_ + samples.stride),
        offsets_(sums_ + samples.stride),
        start_(samples.integer_room) {
    for (std::int64_t i = 0; i < samples.stride; ++i) {
      const DeformGrid& level = head.levels[i % head.samples / head.points];
      width_[i] = static_cast<float>(level.width);
      height_[i] = static_cast<float>(level.height);
      start_[i] = static_cast<std::int32_t>(level.start);
      // Lanes beyond the samples of a group are computed with the others.
      x_[i] = y_[i] = weights_[i] = 0;
      sums_[i] = 1;
      offsets_[2 * i] = offsets_[2 * i + 1] = 0;
    }
  }

  void find(const QueryGroup<float>& group) const {
    collect(group);
    const std::int64_t count = group.count * head_.samples;
    softmax(group.count);
    for (std::int64_t i = 0; i < count; i += lanes) {
      const Vector first = load(offsets_ + 2 * i);
      const Vector second = load(offsets_ + 2 * i + lanes);
      const Vector width = load(width_ + i);
      const Vector height = load(height_ + i);
      const Step across(load(x_ + i) * width - 0.5F + evens(first, second), width);
      const Step along(load(y_ + i) * height - 0.5F + odds(first, second), height);
      store(samples_.right + i, across.rest);
      store(samples_.down + i, along.rest);
      const Vector attention = load(samples_.attention + i);
      const Vector upper = attention * (1.F - along.rest);
      const Vector lower = attention * along.rest;
      Integers start;
      __builtin_memcpy(&start, start_ + i, sizeof start);
      const Integers wide = __builtin_convertvector(width, Integers);
      const Integers token = start + along.whole * wide + across.whole;
      put(0, i, (1.F - across.rest) * upper, token, across.inside & along.inside);
      put(1, i, across.rest * upper, token + 1, across.next_inside & along.inside);
      put(2, i, (1.F - across.rest) * lower, token + wide, across.inside & along.next_inside);
      put(3, i, across.rest * lower, token + wide + 1, across.next_inside & along.next_inside);
    }
  }

  /// to = sum over the corners of samples [first, first + count) of factor (values at the token),
  /// whose rows of `width` numbers lie `stride` apart.
  static void combine(const float* values, std::int64_t stride, const Samples<float>& samples,
                      std::int64_t first, std::int64_t count, std::int64_t width, float* to) {
    std::int64_t i = 0;
    for (; i + 2 * lanes <= width; i += 2 * lanes) {
      Vector sum[2]{};
      each_corner(samples, first, count, [&](float factor, std::int64_t token) {
        const float* from = values + token * stride + i;
        sum[0] = sum[0] + factor * load(from);
        sum[1] = sum[1] + factor * load(from + lanes);
      });
      store(to + i, sum[0]);
      store(to + i + lanes, sum[1]);
    }
    for (; i + lanes <= width; i += lanes) {
      Vector sum{};
      each_corner(samples, first, count, [&](float factor, std::int64_t token) {
        sum = sum + factor * load(values + token * stride + i);
      });
      store(to + i, sum);
    }
    for (; i < width; ++i) {
      float sum = 0;
      each_corner(samples, first, count, [&](float factor, std::int64_t token) {
        sum += factor * values[token * stride + i];
      });
      to[i] = sum;
    }
  }
  /// For each corner of one sample whose row is at least 0: adds the result's gradient times the
  /// factor to the row's gradient, and writes its dot product with the row's values to `dots`.
  static void gradient(const float* grad, const float* values, const std::int64_t* rows,
                       const float* factors, std::int64_t count, float* grad_values, float* dots) {
    float rest[4] = {};
    const auto one = [&](int corner) {
      Vector sum{};
      if (rows[corner] < 0) return sum;
      const float* from = values + rows[corner];
      float* to = grad_values + rows[corner];
      const float factor = factors[corner];
      std::int64_t i = 0;
      for (; i + lanes <= count; i += lanes) {
        const Vector part = load(grad + i);
        sum = sum + part * load(from + i);
        store(to + i, load(to + i) + factor * part);
      }
      for (; i < count; ++i) {
        rest[corner] += grad[i] * from[i];
        to[i] += factor * grad[i];
      }
      return sum;
    };
    const Quad whole = added_up(one(0), one(1), one(2), one(3));
    for (int corner = 0; corner < 4; ++corner) dots[corner] = whole[corner] + rest[corner];
  }

 private:
  /// Places along one axis: the pixel at or before each, how far each lies behind it, and whether
  /// it and the next pixel lie in the level. A NaN lies outside.
  struct Step {
    Integers whole, inside, next_inside;
    Vector rest;

    Step(Vector place, Vector size) {
      const Vector beyond = size + 1.F;
      place = largest(place, all(-2.F));
      place = place < beyond ? place : beyond;
      whole = __builtin_convertvector(place, Integers);
      whole += __builtin_convertvector(whole, Vector) > place;
      rest = place - __builtin_convertvector(whole, Vector);
      const Integers count = __builtin_convertvector(size, Integers);
      inside = (whole >= 0) & (whole < count);
      next_inside = (whole >= -1) & (whole < count - 1);
    }
  };

  void put(std::int64_t corner, std::int64_t at, Vector factor, Integers token,
           Integers inside) const {
    store(samples_.factor + corner * samples_.stride + at, factor);
    const Integers known = (token & inside) | ~inside;
    __builtin_memcpy(samples_.token + corner * samples_.stride + at, &known, sizeof known);
  }

  /// Collects weights (less the largest of their query), offsets and places of all samples.
  void collect(const QueryGroup<float>& group) const {
    std::int64_t at = 0;
    for (std::int64_t n = 0; n < group.count; ++n) {
      const QueryPlace<float> place(head_, group.first + n);
      const float* weights = head_.in.weights + place.weights;
      const float* offsets = head_.in.offsets + place.offsets;
      float top = weights[0];
      for (std::int64_t i = 1; i < head_.samples; ++i) top = weights[i] > top ? weights[i] : top;
      for (std::int64_t i = 0; i < head_.samples; ++i, ++at) {
        weights_[at] = weights[i] - top;
        offsets_[2 * at] = offsets[2 * i];
        offsets_[2 * at + 1] = offsets[2 * i + 1];
        x_[at] = group.x[n];
        y_[at] = group.y[n];
      }
    }
  }

  void softmax(std::int64_t queries) const {
    const std::int64_t count = queries * head_.samples;
    for (std::int64_t i = 0; i < count; i += lanes) {
      const Vector x = load(weights_ + i);
      // At most 0, unless it is a NaN, which stays one.
      store(samples_.attention + i, x <= 0.F ? exponential(x) : x);
    }
    for (std::int64_t n = 0; n < count; n += head_.samples) {
      float sum = 0;
      for (std::int64_t i = n; i < n + head_.samples; ++i) sum += samples_.attention[i];
      for (std::int64_t i = n; i < n + head_.samples; ++i) sums_[i] = sum;
    }
    for (std::int64_t i = 0; i < count; i += lanes) {
      store(samples_.attention + i, load(samples_.attention + i) / load(sums_ + i));
    }
  }

  const DeformHead<float>& head_;
  const Samples<float>& samples_;
  // By sample: its level's size, its query's place, its weight less the largest, its query's sum.
  float *width_, *height_, *x_, *y_, *weights_, *sums_;
  float* offsets_;       // x and y each
  std::int32_t* start_;  // the level's first token
};

inline void deform_forward(const DeformHead<float>& head) {
  deform_forward_head<VectorChannels>(head);
}
inline void deform_backward(const DeformHead<float>& head) {
  deform_backward_head<VectorChannels>(head);
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
