// bi-WKV for ComposedOps: which composition is taken, and its gradient. Relies on
// torch/composed_wkv.h and LibTorch's autograd.
#include "torch/composed_wkv.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <map>
#include <mutex>
#include <tuple>

#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {

at::Tensor wkv_constant(const char* what, kernels::WkvMode mode, std::int64_t tokens,
                        const at::TensorOptions& options, const std::function<at::Tensor()>& make) {
  constexpr std::int64_t most_numbers = 8'000'000;  // of one table, and a fourth of all
  using Key = std::tuple<std::string, kernels::WkvMode, std::int64_t, at::ScalarType, std::string>;
  static std::mutex mutex;
  static std::map<Key, at::Tensor> tables;
  static std::int64_t numbers = 0;
  const Key key{what, mode, tokens, at::typeMetaToScalarType(options.dtype()),
                options.device().str()};
  const std::scoped_lock lock(mutex);
  if (const auto found = tables.find(key); found != tables.end()) return found->second;
  const at::NoGradGuard no_grad;
  at::Tensor made = make().to(options);
  if (made.numel() > most_numbers) return made;
  if (numbers + made.numel() > 4 * most_numbers) {
    tables.clear();
    numbers = 0;
  }
  numbers += made.numel();
  return tables.emplace(key, made).first->second;
}

namespace {

using kernels::WkvMode;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// At most four operations for every 64 tokens, but for the released modes up to 64 tokens
/// (docs/decisions.md).
at::Tensor composed(const WkvArguments& in) {
  const std::int64_t tokens = in.key.size(1);
  const bool exact = in.mode == WkvMode::exact;
  if (tokens <= (exact ? 64 : 128)) return wkv_by_pairs(in);
  if (tokens <= (exact ? 448 : 704))
    return exact ? wkv_exact_by_rows(in) : wkv_released_by_rows(in);
  return wkv_by_chunks(in);
}

/// Keeps its arguments alone and computes again in the backward pass: what the compositions would
/// keep is as large as the arguments times tokens (rows) or 64 (chunks).
struct ComposedWkv : torch::autograd::Function<ComposedWkv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& decay,
                            const at::Tensor& first, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t mode) {
    context->save_for_backward({decay, first, key, value});
    context->saved_data["mode"] = mode;
    return composed({decay, first, key, value, static_cast<WkvMode>(mode)});
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    variable_list leaves = context->get_saved_variables();
    for (at::Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_(true);
    const at::AutoGradMode with_gradients(true);
    const at::Tensor y = composed({leaves[0], leaves[1], leaves[2], leaves[3],
                                   static_cast<WkvMode>(context->saved_data["mode"].toInt())});
    variable_list out = torch::autograd::grad({y}, leaves, grads);
    out.emplace_back();
    return out;
  }
};

}  // namespace

at::Tensor ComposedOps::bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                               const Tensor& value, net::WkvMode mode) {
  return ComposedWkv::apply(decay, first, key, value, static_cast<std::int64_t>(mode));
}

}  // namespace medurwkv::torch_backend
