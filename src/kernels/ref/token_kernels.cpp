#include "kernels/ref/token_kernels.h"

#include <cmath>

#define MEDURWKV_KERNEL_NAMESPACE ref
#include "kernels/token_loops.h"

namespace medurwkv::kernels::ref {
namespace {

template <class Real>
struct PlainChannels {
  static Real exponential(Real x) { return std::exp(x); }
  static Real root(Real x) { return std::sqrt(x); }
  static Real some(const Real* from, std::int64_t /*count*/) { return *from; }
  /// y = term(i, 1).
  template <class Out, class Term>
  static void write(std::int64_t count, Real steps, const Term& term, Out* y) {
    for (std::int64_t i = 0; i < count; ++i) put(term(i, 1), steps, y + i);
  }
  static Real sum(const Real* x, std::int64_t count) {
    double out = 0;
    for (std::int64_t i = 0; i < count; ++i) out += static_cast<double>(x[i]);
    return static_cast<Real>(out);
  }
  /// Sum of (x - mean)^2.
  static Real squares(const Real* x, Real mean, std::int64_t count) {
    double out = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double off = static_cast<double>(x[i]) - static_cast<double>(mean);
      out += off * off;
    }
    return static_cast<Real>(out);
  }
  static Real dot(const Real* a, const Real* b, std::int64_t count) {
    double out = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      out += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return static_cast<Real>(out);
  }
  /// Sum of a b (x - mean).
  static Real dot_from(const Real* a, const Real* b, const Real* x, Real mean, std::int64_t count) {
    double out = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      out += static_cast<double>(a[i]) * static_cast<double>(b[i]) *
             (static_cast<double>(x[i]) - static_cast<double>(mean));
    }
    return static_cast<Real>(out);
  }
};

template <class Real>
constexpr TokenKernels<Real> table = token_kernels_of<PlainChannels<Real>, Real>();

}  // namespace

template <class Real>
const TokenKernels<Real>& token_kernels() {
  return table<Real>;
}

template const TokenKernels<float>& token_kernels();
template const TokenKernels<double>& token_kernels();

}  // namespace medurwkv::kernels::ref
