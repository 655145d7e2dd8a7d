#include "kernels/ref/deform_attn.h"

#include <cmath>

#define MEDURWKV_KERNEL_NAMESPACE ref
#include "kernels/deform_attn_loops.h"

namespace medurwkv::kernels::ref {
namespace {

template <class Real>
struct PlainChannels {
  static Real exponential(Real x) { return std::exp(x); }
  /// to += factor from
  static void add(Real factor, const Real* from, std::int64_t count, Real* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
  }
  /// to = sum over the rows of factor (values at the row)
  static void combine(const Real* values, const std::int64_t* rows, const Real* factors,
                      std::int64_t row_count, std::int64_t count, Real* to) {
    for (std::int64_t i = 0; i < count; ++i) {
      Real sum = 0;
      for (std::int64_t n = 0; n < row_count; ++n) sum += factors[n] * values[rows[n] + i];
      to[i] = sum;
    }
  }
  static Real dot(const Real* a, const Real* b, std::int64_t count) {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return static_cast<Real>(sum);
  }
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
