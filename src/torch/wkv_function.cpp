// bi-WKV for TorchOps: our kernel as an autograd function on the CPU, a composition of LibTorch's
// operations elsewhere. Relies on kernels/bi_wkv.h and LibTorch's autograd.
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "kernels/bi_wkv.h"
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kernels::WkvShape shape_of(const at::Tensor& key) {
  return {.batch = key.size(0), .tokens = key.size(1), .channels = key.size(2)};
}

template <class Real>
kernels::WkvInput<Real> input_of(const variable_list& in) {
  return {.decay = in[0].data_ptr<Real>(),
          .first = in[1].data_ptr<Real>(),
          .key = in[2].data_ptr<Real>(),
          .value = in[3].data_ptr<Real>()};
}

struct WkvFunction : torch::autograd::Function<WkvFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& decay,
                            const at::Tensor& first, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t mode) {
    const variable_list in{decay.contiguous(), first.contiguous(), key.contiguous(),
                           value.contiguous()};
    at::Tensor y = at::empty_like(in[2]);
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "bi_wkv_forward", [&] {
      kernels::bi_wkv_forward(shape_of(key), static_cast<net::WkvMode>(mode),
                              input_of<scalar_t>(in), y.data_ptr<scalar_t>());
    });
    context->save_for_backward(in);
    context->saved_data["mode"] = mode;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const auto mode = static_cast<net::WkvMode>(context->saved_data["mode"].toInt());
    const at::Tensor grad_y = grads[0].contiguous();
    variable_list out{at::empty_like(in[0]), at::empty_like(in[1]), at::empty_like(in[2]),
                      at::empty_like(in[3]), at::Tensor()};
    AT_DISPATCH_FLOATING_TYPES(grad_y.scalar_type(), "bi_wkv_backward", [&] {
      kernels::bi_wkv_backward(shape_of(in[2]), mode, input_of<scalar_t>(in),
                               grad_y.data_ptr<scalar_t>(),
                               {.decay = out[0].data_ptr<scalar_t>(),
                                .first = out[1].data_ptr<scalar_t>(),
                                .key = out[2].data_ptr<scalar_t>(),
                                .value = out[3].data_ptr<scalar_t>()});
    });
    return out;
  }
};

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

at::Tensor bi_wkv_composition(const at::Tensor& decay, const at::Tensor& first,
                              const at::Tensor& key, const at::Tensor& value, net::WkvMode mode) {
  const std::int64_t tokens = key.size(1);
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
    parts.push_back(wkv_rows(decay, first, key, value, t, index.unsqueeze(0),
                             (tokens + chunks - 1) / chunks, exact, epsilon));
  }
  return at::cat(parts, 1);
}

at::Tensor TorchOps::bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                            const Tensor& value, net::WkvMode mode) {
  const auto tokens = static_cast<double>(key.size(1));
  const at::Tensor w = decay / tokens;
  const at::Tensor u = first / tokens;
  if (key.device().is_cpu()) {
    return WkvFunction::apply(w, u, key, value, static_cast<std::int64_t>(mode));
  }
  return bi_wkv_composition(w, u, key, value, mode);
}

}  // namespace medurwkv::torch_backend
