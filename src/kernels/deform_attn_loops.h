// The loops of kernels/deform_attn.h for one head of one batch element, written once. A file that
// includes this defines MEDURWKV_KERNEL_NAMESPACE, one per instruction set, and hands in how to run
// over a head's channels (`Channels`). Nothing of the standard library is used, as in
// kernels/vector/simd.h.
#pragma once

#include <cstdint>

#include "kernels/deform_head.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

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

/// x and y in pixels of the level, pixel centres at whole numbers. A place that is no number, or
/// beyond 2^40, lies outside.
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

/// softmax of `count` numbers.
template <class Channels, class Real>
void softmax(const Real* from, std::int64_t count, Real* to) {
  Real largest = from[0];
  for (std::int64_t i = 1; i < count; ++i) largest = from[i] > largest ? from[i] : largest;
  Real sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += to[i] = Channels::exponential(from[i] - largest);
  for (std::int64_t i = 0; i < count; ++i) to[i] /= sum;
}

/// Calls body(query, x, y) for every query, x and y being its place as a share of width and height.
template <class Real, class Body>
void for_each_query(const DeformHead<Real>& head, const Body& body) {
  std::int64_t query = 0;
  for (std::int64_t n = 0; n < head.query_grids; ++n) {
    const DeformGrid& grid = head.queries[n];
    for (std::int64_t row = 0; row < grid.height; ++row) {
      const Real y = (static_cast<Real>(row) + Real{0.5}) / static_cast<Real>(grid.height);
      for (std::int64_t column = 0; column < grid.width; ++column, ++query) {
        body(query, (static_cast<Real>(column) + Real{0.5}) / static_cast<Real>(grid.width), y);
      }
    }
  }
}

/// Where the head's numbers of a query start in the arrays.
template <class Real>
struct QueryPlace {
  std::int64_t result, weights, offsets;

  QueryPlace(const DeformHead<Real>& head, std::int64_t query) {
    const std::int64_t row = head.batch * head.query_count + query;
    result = (row * head.heads + head.head) * head.width;
    weights = (row * head.heads + head.head) * head.samples;
    offsets = 2 * weights;
  }
};

/// Calls body(sample, corners) for every sample of a query.
template <class Real, class Body>
void for_each_sample(const DeformHead<Real>& head, const Real* offsets, Real x, Real y,
                     const Body& body) {
  std::int64_t sample = 0;
  for (std::int64_t n = 0; n < head.level_count; ++n) {
    const DeformGrid& level = head.levels[n];
    const Real centre_x = x * static_cast<Real>(level.width) - Real{0.5};
    const Real centre_y = y * static_cast<Real>(level.height) - Real{0.5};
    for (std::int64_t point = 0; point < head.points; ++point, ++sample) {
      body(sample, corners_at<Real>(level, centre_x + offsets[2 * sample],
                                    centre_y + offsets[2 * sample + 1]));
    }
  }
}

template <class Channels, class Real>
void deform_forward_head(const DeformHead<Real>& head) {
  const std::int64_t stride = head.heads * head.width;
  const Real* values =
      head.in.values + head.batch * head.value_count * stride + head.head * head.width;
  Real* factors = head.scratch + head.samples;
  for_each_query(head, [&](std::int64_t query, Real x, Real y) {
    const QueryPlace<Real> place(head, query);
    Real* attention = head.scratch;
    softmax<Channels>(head.in.weights + place.weights, head.samples, attention);
    std::int64_t terms = 0;
    for_each_sample(head, head.in.offsets + place.offsets, x, y,
                    [&](std::int64_t sample, const Corners<Real>& corners) {
                      for (int corner = 0; corner < 4; ++corner) {
                        if (!corners.inside[corner]) continue;
                        factors[terms] = attention[sample] * corners.share(corner);
                        head.rows[terms++] = corners.token[corner] * stride;
                      }
                    });
    Channels::combine(values, head.rows, factors, terms, head.width, head.y + place.result);
  });
}

template <class Channels, class Real>
void deform_backward_head(const DeformHead<Real>& head) {
  const std::int64_t stride = head.heads * head.width;
  const std::int64_t start = head.batch * head.value_count * stride + head.head * head.width;
  const Real* values = head.in.values + start;
  Real* grad_values = head.grad.values + start;
  for (std::int64_t token = 0; token < head.value_count; ++token) {
    for (std::int64_t c = 0; c < head.width; ++c) grad_values[token * stride + c] = 0;
  }
  for_each_query(head, [&](std::int64_t query, Real x, Real y) {
    const QueryPlace<Real> place(head, query);
    Real* attention = head.scratch;
    Real* grad_attention = head.scratch + head.samples;
    softmax<Channels>(head.in.weights + place.weights, head.samples, attention);
    const Real* grad = head.grad_y + place.result;
    Real* grad_offsets = head.grad.offsets + place.offsets;
    Real mean = 0;
    for_each_sample(head, head.in.offsets + place.offsets, x, y,
                    [&](std::int64_t sample, const Corners<Real>& corners) {
                      Real dots[4];  // of the result's gradient with each corner's values
                      for (int corner = 0; corner < 4; ++corner) {
                        dots[corner] = 0;
                        if (!corners.inside[corner]) continue;
                        const std::int64_t at = corners.token[corner] * stride;
                        dots[corner] = Channels::dot(grad, values + at, head.width);
                        Channels::add(attention[sample] * corners.share(corner), grad, head.width,
                                      grad_values + at);
                      }
                      const Real upper = dots[1] - dots[0];
                      const Real lower = dots[3] - dots[2];
                      const Real left = dots[2] - dots[0];
                      grad_offsets[2 * sample] =
                          attention[sample] * (upper + corners.down * (lower - upper));
                      grad_offsets[2 * sample + 1] =
                          attention[sample] * (left + corners.right * (lower - upper));
                      const Real sum = dots[0] + corners.right * upper +
                                       corners.down * (left + corners.right * (lower - upper));
                      grad_attention[sample] = sum;
                      mean += attention[sample] * sum;
                    });
    for (std::int64_t i = 0; i < head.samples; ++i) {
      head.grad.weights[place.weights + i] = attention[i] * (grad_attention[i] - mean);
    }
  });
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
