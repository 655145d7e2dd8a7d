// The specification of bi-WKV: plain loops over one channel of one batch element at a time, double
// accumulation, every sum kept as (largest exponent, sum relative to it) so that nothing overflows.
// Sums only ever grow by additions; nothing that was added is subtracted again.
#include "kernels/ref/bi_wkv.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace medurwkv::kernels::ref {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// sum_i exp(e_i) a_i and sum_i exp(e_i) b_i, with the sums of n_i times these for the derivative
/// by the decay, where n_i counts the steps since i was added.
struct Sum {
  double scale = minus_infinity;  ///< the largest exponent
  double a = 0, b = 0;
  double steps_a = 0, steps_b = 0;

  /// Every exponent falls by `w`: one step further away.
  void step(double w) {
    scale -= w;
    steps_a += a;
    steps_b += b;
  }
  void add(double exponent, double new_a, double new_b) {
    merge({.scale = exponent, .a = new_a, .b = new_b});
  }
  void merge(const Sum& other) {
    if (other.scale == minus_infinity) return;
    const double larger = std::max(scale, other.scale);
    const double mine = std::exp(scale - larger);
    const double theirs = std::exp(other.scale - larger);
    a = mine * a + theirs * other.a;
    b = mine * b + theirs * other.b;
    steps_a = mine * steps_a + theirs * other.steps_a;
    steps_b = mine * steps_b + theirs * other.steps_b;
    scale = larger;
  }
};

struct Variant {
  bool exact = true;
  std::int64_t chunk = 1;  ///< tokens per chunk
  double epsilon = 0;
};

Variant variant_of(WkvMode mode, std::int64_t tokens) {
  if (mode == WkvMode::exact) return {.exact = true, .chunk = tokens, .epsilon = 0};
  return {.exact = false,
          .chunk = wkv_chunk(mode, tokens),
          .epsilon = mode == WkvMode::released32 ? 1e-6 : 0};
}

/// One channel of one batch element, gathered into double.
struct Column {
  double w = 0, u = 0;
  const double* k = nullptr;
  const double* v = nullptr;
  std::size_t tokens = 0;
  [[nodiscard]] std::size_t size() const { return tokens; }
};

/// y, and the denominator as divisor * exp(scale); the sums over i > t for every t.
struct Result {
  double *y, *scale, *divisor;
  Sum* future;
};

/// A column's arrays.
struct Room {
  double *k, *v;
  Result result;
  double *grad_y, *grad_k, *grad_v;  ///< backward

  Room(Cutter& cutter, std::int64_t tokens, bool backward)
      : k(cutter.take<double>(tokens)),
        v(cutter.take<double>(tokens)),
        result{.y = cutter.take<double>(tokens),
               .scale = cutter.take<double>(tokens),
               .divisor = cutter.take<double>(tokens),
               .future = cutter.take<Sum>(tokens)},
        grad_y(backward ? cutter.take<double>(tokens) : nullptr),
        grad_k(backward ? cutter.take<double>(tokens) : nullptr),
        grad_v(backward ? cutter.take<double>(tokens) : nullptr) {}
};

std::int64_t room_bytes(std::int64_t tokens, bool backward) {
  Cutter cutter;
  const Room measured(cutter, tokens, backward);
  return cutter.bytes();
}

void find_future_sums(const Column& in, const Variant& variant, Sum* out) {
  Sum sum;
  for (std::size_t t = in.size(); t-- > 0;) {
    out[t] = sum;
    if (variant.exact) sum.step(in.w);
    sum.add(in.k[t], in.v[t], 1);
    if (!variant.exact) sum.step(in.w);
  }
}

void forward_column(const Column& in, const Variant& variant, const Result& out) {
  const std::size_t tokens = in.size();
  const auto chunk = static_cast<std::size_t>(variant.chunk);
  find_future_sums(in, variant, out.future);
  const double extra_factor = -std::expm1(in.w);
  Sum older;   // i in former chunks
  Sum recent;  // i in this chunk, before t
  Sum extra;   // s < i <= t, growing with the distance
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t start = t - t % chunk;
    if (t == start) {
      recent.step(in.w);
      older.merge(recent);
      recent = {};
      extra = {};
    } else if (!variant.exact) {
      extra.step(-in.w);
      extra.add(in.k[t], in.v[t], 1);
    }
    const double own = in.u + in.k[t];
    double scale = std::max({own, older.scale, recent.scale, out.future[t].scale});
    if (!variant.exact) {
      const double from_start = in.k[start] + static_cast<double>(t - start) * in.w;
      scale = std::max({scale, from_start, extra.scale, extra.scale + in.w});
    }
    double numerator = std::exp(own - scale) * in.v[t];
    double divisor = std::exp(own - scale) + variant.epsilon;
    const auto take = [&](const Sum& sum, double factor) {
      const double weight = std::exp(sum.scale - scale) * factor;
      numerator += weight * sum.a;
      divisor += weight * sum.b;
    };
    take(older, 1);
    take(recent, 1);
    take(out.future[t], 1);
    if (!variant.exact) take(extra, extra_factor);
    out.y[t] = numerator / divisor;
    out.scale[t] = scale;
    out.divisor[t] = divisor;
    older.step(in.w);
    recent.step(in.w);
    recent.add(in.k[t], in.v[t], 1);
  }
}

struct ColumnGradient {
  double w = 0, u = 0;
  double *k, *v;
};

/// For token i all sums run over the outputs t that i takes part in; a stands for the gradient of
/// the numerator, b for minus that of the denominator.
ColumnGradient backward_column(const Column& in, const Variant& variant, const Room& room) {
  forward_column(in, variant, room.result);
  const Result& forward = room.result;
  const std::size_t tokens = in.size();
  const auto chunk = static_cast<std::size_t>(variant.chunk);
  ColumnGradient out{.k = room.grad_k, .v = room.grad_v};
  std::fill_n(out.k, tokens, 0);
  std::fill_n(out.v, tokens, 0);
  const auto numerator_grad = [&](std::size_t t) { return room.grad_y[t] / forward.divisor[t]; };
  const auto add_output = [&](Sum& sum, std::size_t t) {
    const double g = numerator_grad(t);
    sum.add(-forward.scale[t], g, g * forward.y[t]);
  };
  // `factor` is the part of a weight that does not depend on the distance.
  const auto take = [&](std::size_t i, const Sum& sum, double factor) {
    const double weight = std::exp(in.k[i] + sum.scale) * factor;
    out.v[i] += weight * sum.a;
    out.k[i] += weight * (sum.a * in.v[i] - sum.b);
    return weight * (sum.steps_a * in.v[i] - sum.steps_b);
  };

  Sum past;  // t < i
  for (std::size_t i = 0; i < tokens; ++i) {
    out.w -= take(i, past, 1);
    if (variant.exact) past.step(in.w);
    add_output(past, i);
    if (!variant.exact) past.step(in.w);
  }

  const double growth = std::exp(in.w);
  const double extra_factor = -std::expm1(in.w);
  Sum later;   // t in later chunks
  Sum recent;  // t > i in this chunk
  Sum extra;   // t >= i in this chunk, growing with the distance
  for (std::size_t i = tokens; i-- > 0;) {
    if ((i + 1) % chunk == 0) {
      later.merge(recent);
      recent = {};
      extra = {};
    }
    later.step(in.w);
    out.w -= take(i, later, 1);
    out.w -= take(i, recent, 1);
    recent.step(in.w);
    add_output(recent, i);
    if (!variant.exact) {
      extra.step(-in.w);
      add_output(extra, i);
      if (i % chunk != 0) {
        out.w += take(i, extra, extra_factor);
        const double weight = std::exp(in.k[i] + extra.scale) * growth;
        out.w -= weight * (extra.a * in.v[i] - extra.b);
      }
    }
    const double own = std::exp(in.u + in.k[i] - forward.scale[i]) * numerator_grad(i);
    out.v[i] += own;
    out.k[i] += own * (in.v[i] - forward.y[i]);
    out.u += own * (in.v[i] - forward.y[i]);
  }
  return out;
}

template <class Real>
const double* gather(const WkvShape& shape, const Real* from, std::int64_t batch,
                     std::int64_t channel, double* column) {
  const Real* at = from + batch * shape.tokens * shape.channels + channel;
  for (std::int64_t t = 0; t < shape.tokens; ++t) {
    column[t] = static_cast<double>(at[t * shape.channels]);
  }
  return column;
}

template <class Real>
void scatter(const WkvShape& shape, const double* column, std::int64_t batch, std::int64_t channel,
             Real* to) {
  Real* at = to + batch * shape.tokens * shape.channels + channel;
  for (std::int64_t t = 0; t < shape.tokens; ++t) {
    at[t * shape.channels] = static_cast<Real>(column[t]);
  }
}

template <class Real>
Column column_of(const WkvShape& shape, const WkvInput<Real>& in, std::int64_t batch,
                 std::int64_t channel, const Room& room) {
  return {.w = static_cast<double>(in.decay[channel]),
          .u = static_cast<double>(in.first[channel]),
          .k = gather(shape, in.key, batch, channel, room.k),
          .v = gather(shape, in.value, batch, channel, room.v),
          .tokens = static_cast<std::size_t>(shape.tokens)};
}

}  // namespace

std::int64_t wkv_forward_column_workspace(std::int64_t tokens) {
  return room_bytes(tokens, false);
}

std::int64_t wkv_backward_column_workspace(std::int64_t tokens) {
  return room_bytes(tokens, true);
}

template <class Real>
void wkv_forward_column(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                        std::int64_t batch, std::int64_t channel, Real* y, Workspace workspace) {
  Cutter cutter(workspace);
  const Room room(cutter, shape.tokens, false);
  forward_column(column_of(shape, in, batch, channel, room), variant_of(mode, shape.tokens),
                 room.result);
  scatter(shape, room.result.y, batch, channel, y);
}

template <class Real>
WkvColumnGradient wkv_backward_column(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                                      const Real* grad_y, std::int64_t batch, std::int64_t channel,
                                      Real* grad_key, Real* grad_value, Workspace workspace) {
  Cutter cutter(workspace);
  const Room room(cutter, shape.tokens, true);
  gather(shape, grad_y, batch, channel, room.grad_y);
  const ColumnGradient column = backward_column(column_of(shape, in, batch, channel, room),
                                                variant_of(mode, shape.tokens), room);
  scatter(shape, column.k, batch, channel, grad_key);
  scatter(shape, column.v, batch, channel, grad_value);
  return {.decay = column.w, .first = column.u};
}

template void wkv_forward_column(const WkvShape&, WkvMode, const WkvInput<float>&, std::int64_t,
                                 std::int64_t, float*, Workspace);
template void wkv_forward_column(const WkvShape&, WkvMode, const WkvInput<double>&, std::int64_t,
                                 std::int64_t, double*, Workspace);
template WkvColumnGradient wkv_backward_column(const WkvShape&, WkvMode, const WkvInput<float>&,
                                               const float*, std::int64_t, std::int64_t, float*,
                                               float*, Workspace);
template WkvColumnGradient wkv_backward_column(const WkvShape&, WkvMode, const WkvInput<double>&,
                                               const double*, std::int64_t, std::int64_t, double*,
                                               double*, Workspace);

}  // namespace medurwkv::kernels::ref
