// bi-WKV on a strip of channels, compiled once per instruction set.
//
// All sums are kept relative to the envelope E_t = max_i (k_i - |t-i| w), which only takes maxima
// to find. Neighbouring envelopes differ by at most |w|, every exponent k_i - |t-i| w - E_t is at
// most 0, and the sums need no rescaling. Per token that leaves
//   e_t = exp(k_t - E_t),  f_t = exp(E_{t-1} - w - E_t),  g_t = exp(E_{t+1} - w - E_t) = exp(-2w) /
//   f_{t+1}
// with  A_t = sum_{i<t} exp(k_i - (t-i) w - E_t) = f_t (A_{t-1} + e_{t-1})  and, from the other
// end,
//       Q_t = sum_{i>t} exp(k_i - (i-t) w - E_t) = g_t (Q_{t+1} + e_{t+1}),
// each with and without the values v. The gradient needs the same factors the other way round:
//       U_i = sum_{t>i} exp(E_i - (t-i) w - E_t) h_t = f_{i+1} (U_{i+1} + h_{i+1})
//       V_i = sum_{t<i} exp(E_i - (i-t) w - E_t) h_t = g_{i-1} (V_{i-1} + h_{i-1}),
// h_t = grad_t / divisor_t. What the modes add is in kernels/bi_wkv.h. Limits on w and u (table.h)
// keep e^w, e^u and the sums within float32; beyond them the caller takes the reference. In the
// exact mode all weights but the token's own have a factor e^w; numerator and divisor are both
// divided by it.
#pragma once

#include "kernels/vector/simd.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

/// A sum with the values and without.
struct Pair {
  Vector a{};
  Vector b{};
};
inline Pair operator+(const Pair& x, const Pair& y) {
  return {x.a + y.a, x.b + y.b};
}
inline Pair operator*(Vector factor, const Pair& x) {
  return {factor * x.a, factor * x.b};
}
/// x times 1 + change.
inline Vector changed(Vector change, Vector x) {
  return x + change * x;
}
inline Pair changed(Vector change, const Pair& x) {
  return {changed(change, x.a), changed(change, x.b)};
}

/// A sum over many tokens, with what rounding has lost of it (Kahan). Without `lost`, the rounding
/// errors of a thousand steps show.
struct Running {
  Pair sum;
  Pair lost;

  /// Adds `added`, then multiplies the sum by 1 + change.
  void step(Vector change, const Pair& added) { add(changed(change, added) + change * sum); }
  void add(const Pair& part) {
    const Pair whole = part + lost;
    const Pair next = sum + whole;
    lost = {whole.a - (next.a - sum.a), whole.b - (next.b - sum.b)};
    sum = next;
  }
};

/// The strip's constants, and the arrays of its work space (tokens x lanes each).
struct Columns {
  Vector w, u, e_w, e_2w;
  Vector own;    // a token's own weight: e^u, exact: e^(u - w)
  Vector extra;  // 1 - e^w
  Vector twice;  // e^-2w - 1
  Vector front;  // the front pass's last value
  Vector first_envelope, last_envelope;
  float* envelope;
  float* e;
  float* f;  // minus 1; of the step from t - 1 to t
  float* g;  // minus 1; of the step from t to t - 1
  float* part_a;
  float* part_b;
  float* top;
  // The gradient's arrays reuse arrays that have been read by then.
  float *h, *hy, *before_a, *before_b;

  explicit Columns(const WkvStrip& strip) : w(load(strip.decay)), u(load(strip.first)) {
    e_w = exponential(w);
    own = exponential(strip.mode == WkvMode::exact ? u - w : u);
    e_2w = e_w * e_w;
    extra = -exponential_minus_1(w);
    twice = exponential_minus_1(-2.F * w);
    const std::int64_t step = strip.tokens * lanes;
    envelope = strip.work;
    e = envelope + step;
    f = e + step;
    g = f + step;
    h = part_a = g + step;
    hy = part_b = part_a + step;
    before_a = top = part_b + step;
    before_b = envelope;
  }
};

/// An edge's sums, and its exponent as the strip's first token sees it.
struct Neighbours {
  Vector top = all(WkvEdge::nothing);
  Pair sum;

  Neighbours(const WkvEdge* edge, Vector w) {
    if (edge == nullptr) return;
    top = load(edge->top) - w;
    sum = {load(edge->a), load(edge->b)};
  }
};

/// max_{i<=t} (k_i - (t-i) w) of every token, from the front. Like the other passes over data that
/// may not be in the cache, it prefetches the next block's token.
inline void front_pass(const WkvStrip& strip, Columns& c) {
  Vector front = largest(Neighbours(strip.before, c.w).top, load(strip.key));
  store(c.envelope, front);
  for (std::int64_t t = 1; t < strip.tokens; ++t) {
    prefetch(strip.key + (t + strip.tokens) * strip.stride);
    prefetch(strip.value + (t + strip.tokens) * strip.stride);
    front = largest(front - c.w, load(strip.key + t * strip.stride));
    store(c.envelope + t * lanes, front);
  }
  c.front = front;
}

/// From the back: E, e and f of every token; the future's and the token's own part of numerator and
/// denominator (part_a, part_b); with top, the largest exponent of these relative to E; for the
/// gradient, g.
template <bool exact, bool with_top, bool for_gradient>
inline void back_pass(const WkvStrip& strip, Columns& c) {
  const Neighbours behind(strip.behind, c.w);
  Running future;
  Pair added;              // the token just behind
  Vector back{};           // max_{i>=t} (k_i - (i-t) w)
  Vector last_envelope{};  // of the token just behind
  for (std::int64_t t = strip.tokens - 1; t >= 0; --t) {
    const Vector k = load(strip.key + t * strip.stride);
    const Vector v = load(strip.value + t * strip.stride);
    const bool last = t + 1 == strip.tokens;
    const Vector coming = last ? behind.top : back - c.w;
    back = largest(coming, k);
    const Vector envelope = largest(load(c.envelope + t * lanes), back);
    if (!last) {
      const Vector fall = envelope - last_envelope;
      // f g = exp(-2w), so that one exp and a division give both.
      const Vector f = exponential_minus_1(fall - c.w);
      const Vector g = (c.twice - f) / (f + 1.F);
      store(c.f + (t + 1) * lanes, f);
      if constexpr (for_gradient) store(c.g + (t + 1) * lanes, g);
      future.step(g, added);
    } else {
      future.sum = exponential(coming - envelope) * behind.sum;
    }
    const Vector e = exponential(k - envelope);
    store(c.envelope + t * lanes, envelope);
    store(c.e + t * lanes, e);
    const Vector own = e * c.own;
    store(c.part_a + t * lanes, future.sum.a + own * v);
    store(c.part_b + t * lanes, future.sum.b + own);
    if constexpr (with_top) {
      store(c.top + t * lanes, largest(coming, c.u + k) - envelope);
    }
    added = {e * v, e};
    last_envelope = envelope;
  }
  c.first_envelope = last_envelope;
  c.last_envelope = load(c.envelope + (strip.tokens - 1) * lanes);
}

/// The largest exponents that released32's e depends on.
struct Tops {
  Vector older, recent, start, extra;
};

/// From the front: the past's part, and with it y and the divisor of every token, handed to
/// `take(t, y, divisor)`.
template <bool exact, bool with_top, class Take>
inline void past_pass(const WkvStrip& strip, const Columns& c, const Take& take) {
  const Vector nothing = all(WkvEdge::nothing);
  const Neighbours before(strip.before, c.w);
  Pair added;     // exact: the token just before
  Running older;  // exact: all of the past; else what lies in former chunks
  older.sum = exponential(before.top - load(c.envelope)) * before.sum;
  Pair recent;  // this chunk, before t
  Pair extra;   // this chunk without its first token, growing with the distance, t included
  Tops tops{before.top + c.w, nothing, nothing, nothing};
  std::int64_t left = strip.chunk;  // tokens until the next chunk
  for (std::int64_t t = 0; t < strip.tokens; ++t) {
    const Vector v = load(strip.value + t * strip.stride);
    const Vector e = load(c.e + t * lanes);
    const Pair own{e * v, e};
    Pair sum{load(c.part_a + t * lanes), load(c.part_b + t * lanes)};
    if constexpr (exact) {
      if (t > 0) older.step(load(c.f + t * lanes), added);
      sum = sum + older.sum;
      added = own;
    } else {
      const Vector k = load(strip.key + t * strip.stride);
      const Vector envelope = load(c.envelope + t * lanes);
      const bool starts = left == strip.chunk;
      if (t > 0) {
        const Vector f = load(c.f + t * lanes);
        if (starts) older.add(recent);
        older.step(f, {});
        recent = changed(f, recent);
        extra = changed(f, c.e_2w) * extra;
      }
      if (starts) {
        recent = {};
        extra = {};
      } else {
        extra = extra + own;
      }
      sum = sum + older.sum + c.e_w * recent + c.extra * extra;
      recent = recent + own;
      if constexpr (with_top) {
        if (starts) tops.older = largest(tops.older, tops.recent);
        tops.older = tops.older - c.w;
        tops.recent = starts ? nothing : tops.recent - c.w;
        tops.start = starts ? k : tops.start + c.w;
        tops.extra = starts ? nothing : largest(tops.extra + c.w, k);
        Vector top = largest(tops.older, tops.recent + c.w);
        top = largest(top, largest(tops.start, largest(tops.extra, tops.extra + c.w)));
        top = largest(top - envelope, load(c.top + t * lanes));
        sum.b = sum.b + 1e-6F * exponential(top);
        tops.recent = largest(tops.recent, k);
      }
      left = left == 1 ? strip.chunk : left - 1;
    }
    take(t, sum.a / sum.b, sum.b);
  }
  if (strip.after != nullptr) {
    // Where the tokens behind are larger by e^80, the past will not count again (limits in
    // table.h).
    const Vector off = c.last_envelope - c.front;
    const Vector scale = exponential(off < 80.F ? off : Vector{} + 80.F);
    const Pair past = scale * (older.sum + (exact ? added : recent));
    store(strip.after->top, c.front);
    store(strip.after->a, past.a);
    store(strip.after->b, past.b);
  }
}

/// The exponentials of one side's exponents relative to the largest, added up.
struct SideSum {
  Vector top = all(WkvEdge::nothing);
  Pair sum;

  /// Adds tokens begin .. end - 1. They are few, so that the second loop finds them in the cache
  /// and rounding errors stay small.
  template <class Exponent>
  void add(const WkvStrip& strip, std::int64_t begin, std::int64_t end, const Exponent& exponent) {
    Vector larger = top;
    for (std::int64_t t = begin; t < end; ++t) {
      prefetch(strip.key + (t + strip.tokens) * strip.stride);
      prefetch(strip.value + (t + strip.tokens) * strip.stride);
      larger = largest(larger, exponent(t));
    }
    Pair few;
    for (std::int64_t t = begin; t < end; ++t) {
      const Vector e = exponential(exponent(t) - larger);
      few = few + Pair{e * load(strip.value + t * strip.stride), e};
    }
    sum = exponential(top - larger) * sum + few;
    top = larger;
  }
  void store_to(WkvEdge& edge) const {
    store(edge.top, top);
    store(edge.a, sum.a);
    store(edge.b, sum.b);
  }
};

template <bool both>
inline void edges(const WkvStrip& strip, WkvEdge* before, WkvEdge& behind) {
  const Vector w = load(strip.decay);
  const std::int64_t last = strip.tokens - 1;
  // Token t's exponent as the strip's first or last token sees it, `steps` away.
  const auto away = [&](std::int64_t t, std::int64_t steps) {
    return load(strip.key + t * strip.stride) - static_cast<float>(steps) * w;
  };
  SideSum front;
  SideSum back;
  for (std::int64_t begin = 0; begin <= last; begin += 32) {
    const std::int64_t end = begin + 32 <= last ? begin + 32 : last + 1;
    if (both) front.add(strip, begin, end, [&](std::int64_t t) { return away(t, last - t); });
    back.add(strip, begin, end, [&](std::int64_t t) { return away(t, t); });
  }
  if (both) front.store_to(*before);
  back.store_to(behind);
}

inline void wkv_edges(const WkvStrip& strip, WkvEdge* before, WkvEdge& behind) {
  return before != nullptr ? edges<true>(strip, before, behind)
                           : edges<false>(strip, before, behind);
}

template <bool exact, bool with_top>
inline void forward(const WkvStrip& strip, float* y) {
  Columns c(strip);
  front_pass(strip, c);
  back_pass<exact, with_top, false>(strip, c);
  past_pass<exact, with_top>(strip, c, [&](std::int64_t t, Vector result, Vector) {
    prefetch(y + (t + strip.tokens) * strip.stride);
    store(y + t * strip.stride, result);
  });
}

/// Sums over many tokens: float32 over a few, double over all.
class LongSum {
 public:
  explicit LongSum(double* to) : to_(to) {}
  void add(Vector part) {
    sum_ = sum_ + part;
    if (++count_ == 32) flush();
  }
  void flush() {
    for (std::int64_t lane = 0; lane < lanes; ++lane) to_[lane] += static_cast<double>(sum_[lane]);
    sum_ = Vector{};
    count_ = 0;
  }

 private:
  double* to_;
  Vector sum_{};
  int count_ = 0;
};

/// A sum over outputs, and the same with every term times the steps between it and the token.
struct Walk {
  Running running;
  Pair steps;

  Walk() = default;
  /// An edge's sums as seen from the token next to it; `envelope` is that token's. `counted`: the
  /// step to it counts.
  Walk(const WkvEdge* edge, Vector w, Vector envelope, bool counted) {
    if (edge == nullptr) return;
    const Vector scale = exponential(load(edge->top) - w + envelope);
    running.sum = scale * Pair{load(edge->a), load(edge->b)};
    steps = scale * Pair{load(edge->far_a), load(edge->far_b)};
    if (counted) steps = steps + running.sum;
  }

  [[nodiscard]] const Pair& sum() const { return running.sum; }

  /// Goes one token further. Adds `added`, the former token's own output; `counted`: its first step
  /// counts.
  void step(Vector change, const Pair& added, bool counted) {
    steps = changed(change, steps + (counted ? sum() + added : sum()));
    running.step(change, added);
  }
};

/// A token's part of the decay's gradient: the derivative of the weights in `sum` by the decay.
inline Vector decay_part(const Pair& sum, Vector e, Vector v) {
  return e * (sum.a * v - sum.b);
}

/// From the front once more: h and h y of every token, and the sums over outputs before it.
template <bool exact, bool with_top>
inline void outputs_before(const WkvStrip& strip, const Columns& c, const float* grad_y,
                           LongSum& grad_decay) {
  Walk before(strip.outputs_before, c.w, c.first_envelope, !exact);
  Pair added;
  past_pass<exact, with_top>(strip, c, [&](std::int64_t t, Vector y, Vector divisor) {
    prefetch(grad_y + (t + strip.tokens) * strip.stride);
    if (t > 0) before.step(load(c.g + t * lanes), added, !exact);
    const Vector h = load(grad_y + t * strip.stride) / divisor;
    added = {h, h * y};
    grad_decay.add(
        -decay_part(before.steps, load(c.e + t * lanes), load(strip.value + t * strip.stride)));
    store(c.before_a + t * lanes, before.sum().a);
    store(c.before_b + t * lanes, before.sum().b);
    store(c.h + t * lanes, added.a);
    store(c.hy + t * lanes, added.b);
  });
}

/// From the back: the sums over outputs behind a token, and with them its gradients.
template <bool exact>
inline void outputs_behind(const WkvStrip& strip, const Columns& c, float* grad_key,
                           float* grad_value, LongSum& grad_decay, LongSum& grad_first) {
  const Walk behind(strip.outputs_behind, c.w, c.last_envelope, !exact);
  Walk later;   // outputs in later chunks; exact has none
  Walk recent;  // outputs behind the token in its chunk
  (exact ? recent : later) = behind;
  Walk extra;  // outputs from the token on in its chunk, growing with the distance
  Pair added;
  std::int64_t place = strip.chunk > 0 ? (strip.tokens - 1) % strip.chunk : strip.tokens - 1;
  for (std::int64_t t = strip.tokens - 1; t >= 0; --t) {
    prefetch(grad_key + (t + strip.tokens) * strip.stride);
    prefetch(grad_value + (t + strip.tokens) * strip.stride);
    const Vector e = load(c.e + t * lanes);
    const Vector v = load(strip.value + t * strip.stride);
    if (t + 1 < strip.tokens) {
      const Vector f = load(c.f + (t + 1) * lanes);
      if constexpr (exact) {
        recent.step(f, added, false);
      } else if (place + 1 == strip.chunk) {
        later.steps = later.steps + recent.steps + recent.sum();
        later.running.add(recent.sum());
        later.step(f, added, true);
        recent = {};
        extra = {};
      } else {
        later.step(f, {}, true);
        recent.step(f, added, false);
        extra.step(changed(f, c.e_2w) - 1.F, {}, true);
      }
    }
    added = {load(c.h + t * lanes), load(c.hy + t * lanes)};
    const Pair own = c.own * added;
    Pair sum{load(c.before_a + t * lanes), load(c.before_b + t * lanes)};
    sum = sum + own + (exact ? recent.sum() : c.e_w * recent.sum());
    Vector decay = -decay_part(exact ? recent.steps : c.e_w * recent.steps, e, v);
    if constexpr (!exact) {
      sum = sum + later.sum();
      decay = decay - decay_part(later.steps, e, v);
      extra.running.add(added);
      if (place > 0) {
        sum = sum + c.extra * extra.sum();
        decay =
            decay + decay_part(c.extra * extra.steps, e, v) - decay_part(c.e_w * extra.sum(), e, v);
      }
      place = place == 0 ? strip.chunk - 1 : place - 1;
    }
    grad_decay.add(decay);
    grad_first.add(decay_part(own, e, v));
    store(grad_value + t * strip.stride, e * sum.a);
    store(grad_key + t * strip.stride, decay_part(sum, e, v));
  }
}

/// Sums over outputs relative to the largest of their exponents, for an edge.
struct OutputSide {
  Vector top = all(WkvEdge::nothing);
  Pair few, few_far;
  Pair whole, whole_far;

  void add(Vector exponent, float distance, const Pair& output) {
    const Pair part = exponential(exponent - top) * output;
    few = few + part;
    few_far = few_far + all(distance) * part;
  }
  void flush() {
    whole = whole + few;
    whole_far = whole_far + few_far;
    few = few_far = {};
  }
  void store_to(WkvEdge& edge) const {
    store(edge.top, top);
    store(edge.a, whole.a);
    store(edge.b, whole.b);
    store(edge.far_a, whole_far.a);
    store(edge.far_b, whole_far.b);
  }
};

template <bool exact, bool with_top>
inline void output_edges(const WkvStrip& strip, const float* grad_y, WkvEdge& before,
                         WkvEdge& behind) {
  Columns c(strip);
  front_pass(strip, c);
  back_pass<exact, with_top, false>(strip, c);
  OutputSide front;
  OutputSide back;
  const std::int64_t last = strip.tokens - 1;
  for (std::int64_t t = 0; t <= last; ++t) {
    front.top = largest(front.top - c.w, -load(c.envelope + t * lanes));
    back.top = largest(back.top - c.w, -load(c.envelope + (last - t) * lanes));
  }
  past_pass<exact, with_top>(strip, c, [&](std::int64_t t, Vector y, Vector divisor) {
    prefetch(grad_y + (t + strip.tokens) * strip.stride);
    const Vector h = load(grad_y + t * strip.stride) / divisor;
    const Vector exponent = -load(c.envelope + t * lanes);
    const auto from_behind = static_cast<float>(last - t);
    const auto from_front = static_cast<float>(t);
    front.add(exponent - from_behind * c.w, from_behind, {h, h * y});
    back.add(exponent - from_front * c.w, from_front, {h, h * y});
    if (t % 32 == 31 || t == last) {
      front.flush();
      back.flush();
    }
  });
  front.store_to(before);
  back.store_to(behind);
}

inline void wkv_output_edges(const WkvStrip& strip, const float* grad_y, WkvEdge& before,
                             WkvEdge& behind) {
  switch (strip.mode) {
    case WkvMode::exact: return output_edges<true, false>(strip, grad_y, before, behind);
    case WkvMode::released32: return output_edges<false, true>(strip, grad_y, before, behind);
    case WkvMode::released16: return output_edges<false, false>(strip, grad_y, before, behind);
  }
}

template <bool exact, bool with_top>
inline void backward(const WkvStrip& strip, const float* grad_y, float* grad_key, float* grad_value,
                     double* grad_decay, double* grad_first) {
  Columns c(strip);
  LongSum decay(grad_decay);
  LongSum first(grad_first);
  front_pass(strip, c);
  back_pass<exact, with_top, true>(strip, c);
  outputs_before<exact, with_top>(strip, c, grad_y, decay);
  outputs_behind<exact>(strip, c, grad_key, grad_value, decay, first);
  decay.flush();
  first.flush();
}

inline void wkv_forward(const WkvStrip& strip, float* y) {
  switch (strip.mode) {
    case WkvMode::exact: return forward<true, false>(strip, y);
    case WkvMode::released32: return forward<false, true>(strip, y);
    case WkvMode::released16: return forward<false, false>(strip, y);
  }
}

inline void wkv_backward(const WkvStrip& strip, const float* grad_y, float* grad_key,
                         float* grad_value, double* grad_decay, double* grad_first) {
  switch (strip.mode) {
    case WkvMode::exact:
      return backward<true, false>(strip, grad_y, grad_key, grad_value, grad_decay, grad_first);
    case WkvMode::released32:
      return backward<false, true>(strip, grad_y, grad_key, grad_value, grad_decay, grad_first);
    case WkvMode::released16:
      return backward<false, false>(strip, grad_y, grad_key, grad_value, grad_decay, grad_first);
  }
}

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
