// bi-WKV for TorchOps: our kernel as an autograd function. Relies on kernels/bi_wkv.h and
// LibTorch's autograd.
#include <torch/csrc/autograd/custom_function.h>

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
      const auto how = static_cast<net::WkvMode>(mode);
      const auto given = input_of<scalar_t>(in);
      const kernels::OwnWorkspace workspace(
          kernels::bi_wkv_forward_workspace(shape_of(key), how, given.decay, given.first));
      kernels::bi_wkv_forward<scalar_t>(shape_of(key), how, given, y.data_ptr<scalar_t>(),
                                        workspace);
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
      const auto given = input_of<scalar_t>(in);
      const kernels::OwnWorkspace workspace(
          kernels::bi_wkv_backward_workspace(shape_of(in[2]), mode, given.decay, given.first));
      kernels::bi_wkv_backward<scalar_t>(shape_of(in[2]), mode, given, grad_y.data_ptr<scalar_t>(),
                                         {.decay = out[0].data_ptr<scalar_t>(),
                                          .first = out[1].data_ptr<scalar_t>(),
                                          .key = out[2].data_ptr<scalar_t>(),
                                          .value = out[3].data_ptr<scalar_t>()},
                                         workspace);
    });
    return out;
  }
};

}  // namespace

at::Tensor TorchOps::bi_wkv(const Tensor& decay, const Tensor& first, const Tensor& key,
                            const Tensor& value, net::WkvMode mode) {
  if (!runs_on(key.device())) return ComposedOps::bi_wkv(decay, first, key, value, mode);
  const auto tokens = static_cast<double>(key.size(1));
  return WkvFunction::apply(decay / tokens, first / tokens, key, value,
                            static_cast<std::int64_t>(mode));
}

}  // namespace medurwkv::torch_backend
