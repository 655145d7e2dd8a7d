// The specification of bi-WKV, one channel of one batch element at a time, in double.
#pragma once

#include <cstdint>

#include "kernels/bi_wkv.h"
#include "kernels/workspace.h"

namespace medurwkv::kernels::ref {

/// Bytes that a column of so many tokens takes, forward and backward.
std::int64_t wkv_forward_column_workspace(std::int64_t tokens);
std::int64_t wkv_backward_column_workspace(std::int64_t tokens);

template <class Real>
void wkv_forward_column(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                        std::int64_t batch, std::int64_t channel, Real* y, Workspace workspace);

struct WkvColumnGradient {
  double decay = 0;
  double first = 0;
};

/// Writes the column of grad_key and grad_value.
template <class Real>
WkvColumnGradient wkv_backward_column(const WkvShape& shape, WkvMode mode, const WkvInput<Real>& in,
                                      const Real* grad_y, std::int64_t batch, std::int64_t channel,
                                      Real* grad_key, Real* grad_value, Workspace workspace);

}  // namespace medurwkv::kernels::ref
