// Linear maps for TorchOps: in float32 on the CPU straight through oneDNN's matrix product where
// LibTorch links the system's oneDNN (Debian's LibTorch sends them to the BLAS instead, several
// times slower on recent processors); LibTorch's own elsewhere (docs/decisions.md).
#include <torch/csrc/autograd/custom_function.h>

#include "torch/torch_ops.h"

#if defined(MEDURWKV_SYSTEM_ONEDNN)
#include <dnnl.h>

#include "core/error.h"
#endif

namespace medurwkv::torch_backend {

#if defined(MEDURWKV_SYSTEM_ONEDNN)
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A row-major matrix or its transpose.
struct Matrix {
  const at::Tensor& elements;
  bool transposed = false;
};

/// Sides of the product, and the side that it sums over.
struct Sides {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t inner = 0;
};

/// left times right as a new tensor of `shape`.
at::Tensor product(const Matrix& left, const Matrix& right, const Sides& sides,
                   at::IntArrayRef shape) {
  const auto& [rows, columns, inner] = sides;
  at::Tensor out = at::empty(shape, left.elements.options().requires_grad(false));
  const dnnl_status_t status =
      dnnl_sgemm(left.transposed ? 'T' : 'N', right.transposed ? 'T' : 'N', rows, columns, inner,
                 1.F, left.elements.data_ptr<float>(), left.transposed ? rows : inner,
                 right.elements.data_ptr<float>(), right.transposed ? inner : columns, 0.F,
                 out.data_ptr<float>(), columns);
  if (status != dnnl_success) throw_internal("oneDNN refused a matrix product");
  return out;
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& weight, const c10::optional<at::Tensor>& bias) {
    const at::Tensor x = input.contiguous();
    const at::Tensor w = weight.contiguous();
    context->save_for_backward({x, w});
    // Of the arguments: a contiguous copy of one does not require a gradient.
    context->saved_data["needs_input"] = input.requires_grad();
    context->saved_data["needs_weight"] = weight.requires_grad();
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = w.size(0);
    const std::int64_t in = w.size(1);
    at::Tensor y =
        product({x}, {w, true}, {.rows = x.numel() / in, .columns = w.size(0), .inner = in}, shape);
    context->saved_data["needs_bias"] = bias && bias->requires_grad();
    if (bias) y.add_(*bias);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& w = saved[1];
    const at::Tensor grad = grads[0].contiguous();
    const std::int64_t in = w.size(1);
    const std::int64_t out = w.size(0);
    const std::int64_t rows = x.numel() / in;
    at::Tensor grad_x;
    at::Tensor grad_w;
    if (context->saved_data["needs_input"].toBool()) {
      grad_x = product({grad}, {w}, {.rows = rows, .columns = in, .inner = out}, x.sizes());
    }
    if (context->saved_data["needs_weight"].toBool()) {
      grad_w = product({grad, true}, {x}, {.rows = out, .columns = in, .inner = rows}, w.sizes());
    }
    at::Tensor grad_bias;
    if (context->saved_data["needs_bias"].toBool()) grad_bias = grad.reshape({rows, out}).sum(0);
    return {grad_x, grad_w, grad_bias};
  }
};

bool runs_on_onednn(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
}

}  // namespace
#endif

at::Tensor TorchOps::linear(const Tensor& x, const Tensor& weight,
                            const std::optional<Tensor>& bias) const {
#if defined(MEDURWKV_SYSTEM_ONEDNN)
  if (runs_on_onednn(x) && !in_bfloat16(x)) {
    return LinearFunction::apply(x, weight, bias ? c10::optional<at::Tensor>(*bias) : c10::nullopt);
  }
#endif
  return ComposedOps::linear(x, weight, bias);
}

at::Tensor TorchOps::conv2d(const Tensor& x, const Tensor& weight,
                            const std::optional<Tensor>& bias, const net::Convolution& how) const {
  const bool pointwise = weight.size(2) == 1 && weight.size(3) == 1 && how.groups == 1 &&
                         how.stride == 1 && how.padding == 0;
  if (!x.device().is_cpu() || !pointwise) return ComposedOps::conv2d(x, weight, bias, how);
  const at::Tensor tokens =
      linear(to_tokens(x), weight.reshape({weight.size(0), weight.size(1)}), bias);
  return to_map(tokens, {x.size(2), x.size(3)});
}

at::Tensor TorchOps::conv_transpose2d(const Tensor& x, const Tensor& weight,
                                      const std::optional<Tensor>& bias,
                                      std::int64_t stride) const {
  if (!x.device().is_cpu()) return ComposedOps::conv_transpose2d(x, weight, bias, stride);
  // Every pixel becomes a patch of stride x stride pixels: a linear map, then patch expanding.
  const std::int64_t in = weight.size(0);
  const std::int64_t out = weight.size(1);
  const at::Tensor matrix = weight.permute({2, 3, 1, 0}).reshape({stride * stride * out, in});
  std::optional<at::Tensor> biases;
  if (bias) biases = bias->repeat({stride * stride});
  const net::Grid grid{x.size(2), x.size(3)};
  const at::Tensor patches = linear(to_tokens(x), matrix, biases);
  return to_map(expand(patches, grid, stride), {stride * grid.height, stride * grid.width});
}

}  // namespace medurwkv::torch_backend
