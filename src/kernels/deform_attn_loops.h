// The loops of kernels/deform_attn.h for one head of one batch element, written once. A file that
// includes this defines MEDURWKV_KERNEL_NAMESPACE, one per instruction set, and supplies
// `Channels`, which finds a query's samples and runs over a head's channels: in plain loops in
// kernels/ref, in vectors in kernels/vector. Nothing of the standard library is used, as in
// kernels/vector/simd.h.
#pragma once

#include <cstdint>

#include "kernels/deform_head.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

/// The samples of a few queries and one head: arrays of `stride` numbers each, query after query.
/// What is given by corner takes four such arrays, one after another: upper left, upper right,
/// lower left, lower right.
template <class Real>
struct Samples {
  std::int64_t stride;
  Real* attention;             // softmax of the weights
  Real *right, *down;          // how far the place lies towards its right and lower neighbours
  Real* factor;                // by corner: attention times the corner's share in the place
  std::int32_t* token;         // by corner; -1: outside
  Real* room;                  // 13 further arrays
  std::int32_t* integer_room;  // 1 further array

  explicit Samples(const DeformHead<Real>& head)
      : stride(deform_samples_at_once(head.samples)),
        attention(head.scratch),
        right(attention + stride),
        down(right + stride),
        factor(down + stride),
        token(head.integers),
        room(factor + 4 * stride),
        integer_room(token + 4 * stride) {}
};

/// body(factor, token) for each corner inside of samples [first, first + count).
template <class Real, class Body>
void each_corner(const Samples<Real>& samples, std::int64_t first, std::int64_t count,
                 const Body& body) {
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    for (std::int64_t corner = 0; corner < 4; ++corner) {
      const std::int64_t at = corner * samples.stride + sample;
      if (samples.token[at] >= 0) body(samples.factor[at], samples.token[at]);
    }
  }
}

/// Neighbouring queries.
template <class Real>
struct QueryGroup {
  std::int64_t first = 0;
  std::int64_t count = 0;
  // Each one's place as a share of width and height.
  Real x[16];
  Real y[16];
};

/// Calls body(group) for groups that together are all queries.
template <class Real, class Body>
void for_each_group(const DeformHead<Real>& head, const Body& body) {
  const std::int64_t size = deform_queries_at_once(head.samples);
  QueryGroup<Real> group;
  for (std::int64_t n = 0; n < head.query_grids; ++n) {
    const DeformGrid& grid = head.queries[n];
    for (std::int64_t row = 0; row < grid.height; ++row) {
      const Real y = (static_cast<Real>(row) + Real{0.5}) / static_cast<Real>(grid.height);
      for (std::int64_t column = 0; column < grid.width; ++column) {
        group.x[group.count] =
            (static_cast<Real>(column) + Real{0.5}) / static_cast<Real>(grid.width);
        group.y[group.count++] = y;
        if (group.count < size && group.first + group.count < head.query_count) continue;
        body(group);
        group.first += group.count;
        group.count = 0;
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

template <class Channels, class Real>
void deform_forward_head(const DeformHead<Real>& head) {
  const std::int64_t stride = head.heads * head.width;
  const Real* values =
      head.in.values + head.batch * head.value_count * stride + head.head * head.width;
  const Samples<Real> samples(head);
  const Channels channels(head, samples);
  for_each_group(head, [&](const QueryGroup<Real>& group) {
    channels.find(group);
    for (std::int64_t n = 0; n < group.count; ++n) {
      Channels::combine(values, stride, samples, n * head.samples, head.samples, head.width,
                        head.y + QueryPlace<Real>(head, group.first + n).result);
    }
  });
}

/// The gradients of one query, the n-th of those whose samples were found.
template <class Channels, class Real>
void deform_backward_query(const DeformHead<Real>& head, const Samples<Real>& samples,
                           std::int64_t query, std::int64_t n, const Real* values,
                           Real* grad_values) {
  const std::int64_t stride = head.heads * head.width;
  const QueryPlace<Real> place(head, query);
  const Real* grad = head.grad_y + place.result;
  Real* grad_offsets = head.grad.offsets + place.offsets;
  const Real* attention = samples.attention + n * head.samples;
  Real* grad_attention = samples.room;
  Real mean = 0;
  for (std::int64_t i = 0; i < head.samples; ++i) {
    const std::int64_t sample = n * head.samples + i;
    std::int64_t rows[4];
    Real factors[4];
    for (int corner = 0; corner < 4; ++corner) {
      const std::int64_t at = corner * samples.stride + sample;
      rows[corner] = samples.token[at] * stride;
      factors[corner] = samples.factor[at];
    }
    Real dots[4];
    Channels::gradient(grad, values, rows, factors, head.width, grad_values, dots);
    const Real right = samples.right[sample];
    const Real down = samples.down[sample];
    const Real upper = dots[1] - dots[0];
    const Real lower = dots[3] - dots[2];
    const Real left = dots[2] - dots[0];
    grad_offsets[2 * i] = attention[i] * (upper + down * (lower - upper));
    grad_offsets[2 * i + 1] = attention[i] * (left + right * (lower - upper));
    grad_attention[i] = dots[0] + right * upper + down * (left + right * (lower - upper));
    mean += attention[i] * grad_attention[i];
  }
  for (std::int64_t i = 0; i < head.samples; ++i) {
    head.grad.weights[place.weights + i] = attention[i] * (grad_attention[i] - mean);
  }
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
  const Samples<Real> samples(head);
  const Channels channels(head, samples);
  for_each_group(head, [&](const QueryGroup<Real>& group) {
    channels.find(group);
    for (std::int64_t n = 0; n < group.count; ++n) {
      deform_backward_query<Channels>(head, samples, group.first + n, n, values, grad_values);
    }
  });
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
