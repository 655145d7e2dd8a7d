// How bi-WKV is composed from LibTorch's own operations, on any device. On a GPU every operation is
// a launch, so each way takes a fixed number of them, and which is taken depends on the number of
// tokens. Relies on ATen and kernels/bi_wkv.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/bi_wkv.h"

namespace medurwkv::torch_backend {

/// Decay and first of every channel as the parameters hold them, not divided by the number of
/// tokens; key and value: batch x tokens x channels.
struct WkvArguments {
  at::Tensor decay, first, key, value;
  kernels::WkvMode mode = kernels::WkvMode::exact;
};

/// Every pair of tokens is one number, found by a matrix product whose cost is cubic in tokens and
/// summed by another: 4 operations (exact), 8 (released32), 7 (released16). For few tokens.
at::Tensor wkv_by_pairs(const WkvArguments& in);

/// The exact mode by its formula, a softmax over all tokens for each token and channel: 5
/// operations, memory for tokens x tokens x channels.
at::Tensor wkv_exact_by_rows(const WkvArguments& in);

/// The released modes likewise, with their additional terms in further columns: 12 (released32) and
/// 11 operations.
at::Tensor wkv_released_by_rows(const WkvArguments& in);

/// Over chunks of tokens: 28 to 48 operations, memory for tokens x 64 x channels.
at::Tensor wkv_by_chunks(const WkvArguments& in);

/// Exponent of what takes no part: its exp() vanishes beside any other. Finite, because a sum over
/// nothing (before the first chunk) would subtract infinity from infinity.
inline constexpr double wkv_nothing = -1e30;

/// What depends on nothing but mode and number of tokens, kept from call to call: made on the CPU,
/// it would have a GPU wait for each call's copy. Tables of over eight million numbers are not
/// kept. `what` tells tables of the same mode and tokens apart.
at::Tensor wkv_constant(const char* what, kernels::WkvMode mode, std::int64_t tokens,
                        const at::TensorOptions& options, const std::function<at::Tensor()>& make);

/// Rows of `columns` constants, filled here because it takes LibTorch many small operations.
class Table {
 public:
  explicit Table(std::int64_t columns) : columns_(columns) {}
  /// element(column) for every column.
  template <class Element>
  void add(const Element& element) {
    for (std::int64_t c = 0; c < columns_; ++c) {
      elements_.push_back(static_cast<double>(element(c)));
    }
  }
  /// rows x columns, float64 on the CPU
  [[nodiscard]] at::Tensor tensor() const {
    return at::tensor(elements_, at::kDouble).reshape({-1, columns_});
  }

 private:
  std::int64_t columns_;
  std::vector<double> elements_;
};

}  // namespace medurwkv::torch_backend
