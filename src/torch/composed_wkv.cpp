// bi-WKV from LibTorch's own operations, on any device. Quadratic, in blocks of tokens.
#include <algorithm>
#include <limits>

#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

/// exponents masked out by minus infinity where `mask` is false.
at::Tensor where_or_nothing(const at::Tensor& mask, const at::Tensor& exponents) {
  const at::Tensor nothing =
      at::full({}, -std::numeric_limits<double>::infinity(), exponents.options());
  return at::where(mask, exponents, nothing);
}

/// Outputs of the tokens t (column of indices) from all tokens i (row of indices).
at::Tensor wkv_rows(const at::Tensor& decay, const at::Tensor& first, const at::Tensor& key,
                    const at::Tensor& value, const at::Tensor& t, const at::Tensor& i,
                    std::int64_t chunk, bool exact, double epsilon) {
  const auto real = [&](const at::Tensor& steps) {
    return steps.to(key.scalar_type()).unsqueeze(-1);
  };
  const at::Tensor start = at::floor_divide(t, chunk) * chunk;
  const at::Tensor distance = (t - i).abs();
  const at::Tensor shortened = exact ? at::ones_like(distance, at::kBool) : (i >= start) & (i < t);
  const at::Tensor steps =
      at::where(i == t, at::zeros_like(distance), distance - shortened.to(at::kLong));
  const at::Tensor exponents =
      (real((i == t).to(at::kLong)) * first - real(steps) * decay).unsqueeze(0) + key.unsqueeze(1);
  if (exact) return (exponents.softmax(2) * value.unsqueeze(1)).sum(2);

  const at::Tensor in_chunk = (i > start) & (i <= t);
  const at::Tensor growing =
      where_or_nothing(in_chunk.unsqueeze(-1).unsqueeze(0),
                       (real((t - i).clamp_min(0)) * decay).unsqueeze(0) + key.unsqueeze(1));
  at::Tensor scale;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor from_start =
        where_or_nothing((i >= start).unsqueeze(-1).unsqueeze(0),
                         (real(t - i) * decay).unsqueeze(0) + key.unsqueeze(1));
    scale = at::maximum(exponents.amax(2), from_start.amax(2));
    scale = at::maximum(scale, (growing + decay).amax(2)).unsqueeze(2);
  }
  const at::Tensor terms = (exponents - scale).exp() - (growing - scale).exp() * at::expm1(decay);
  return (terms * value.unsqueeze(1)).sum(2) / (terms.sum(2) + epsilon);
}

}  // namespace

at::Tensor ComposedOps::bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                               const Tensor& value, net::WkvMode mode) {
  const std::int64_t tokens = key.size(1);
  const at::Tensor w = decay / static_cast<double>(tokens);
  const at::Tensor u = first / static_cast<double>(tokens);
  const bool exact = mode == net::WkvMode::exact;
  const std::int64_t chunks = exact ? 1 : mode == net::WkvMode::released32 ? 32 : 16;
  const double epsilon = mode == net::WkvMode::released32 ? 1e-6 : 0;
  // Rows at once, so that the exponents stay within about 2^26 elements.
  const std::int64_t rows = std::clamp<std::int64_t>(
      (std::int64_t{1} << 26) / std::max<std::int64_t>(1, key.numel()), 1, tokens);
  const at::Tensor index = at::arange(tokens, key.options().dtype(at::kLong).requires_grad(false));
  std::vector<at::Tensor> parts;
  for (std::int64_t from = 0; from < tokens; from += rows) {
    const at::Tensor t = index.narrow(0, from, std::min(rows, tokens - from)).unsqueeze(1);
    parts.push_back(wkv_rows(w, u, key, value, t, index.unsqueeze(0),
                             (tokens + chunks - 1) / chunks, exact, epsilon));
  }
  return at::cat(parts, 1);
}

}  // namespace medurwkv::torch_backend
