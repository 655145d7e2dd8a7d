// Deformable attention for TorchOps: our kernel as an autograd function. Relies on
// kernels/deform_attn.h and LibTorch's autograd.
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/deform_attn.h"
#include "net/deformable.h"
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

using net::Grid;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The shape as autograd can keep it: heads, points, then height and width of every grid.
std::vector<std::int64_t> packed(const net::DeformableAttention& where) {
  std::vector<std::int64_t> out{where.heads, where.points,
                                static_cast<std::int64_t>(where.queries.size())};
  for (const std::vector<Grid>* grids : {&where.queries, &where.levels}) {
    for (const Grid& grid : *grids) out.insert(out.end(), {grid.height, grid.width});
  }
  return out;
}

kernels::DeformShape shape_of(const std::vector<std::int64_t>& where, const at::Tensor& values) {
  net::DeformableAttention of{.queries = {}, .levels = {}, .heads = where[0], .points = where[1]};
  for (std::size_t i = 3; i < where.size(); i += 2) {
    const bool query = static_cast<std::int64_t>(of.queries.size()) < where[2];
    (query ? of.queries : of.levels).push_back({where[i], where[i + 1]});
  }
  return net::deform_shape(of, values.size(0), values.size(2));
}

template <class Real>
kernels::DeformInput<Real> input_of(const variable_list& in) {
  return {.values = in[0].data_ptr<Real>(),
          .offsets = in[1].data_ptr<Real>(),
          .weights = in[2].data_ptr<Real>()};
}

struct DeformFunction : torch::autograd::Function<DeformFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& values,
                            const at::Tensor& offsets, const at::Tensor& weights,
                            const std::vector<std::int64_t>& where) {
    const variable_list in{values.contiguous(), offsets.contiguous(), weights.contiguous()};
    at::Tensor y = at::empty({values.size(0), offsets.size(1), values.size(2)}, in[0].options());
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "deform_attn_forward", [&] {
      const kernels::DeformShape shape = shape_of(where, in[0]);
      const kernels::OwnWorkspace workspace(kernels::deform_attn_workspace<scalar_t>(shape));
      kernels::deform_attn_forward<scalar_t>(shape, input_of<scalar_t>(in), y.data_ptr<scalar_t>(),
                                             workspace);
    });
    context->save_for_backward(in);
    context->saved_data["where"] = where;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list in = context->get_saved_variables();
    const kernels::DeformShape shape = shape_of(context->saved_data["where"].toIntVector(), in[0]);
    const at::Tensor grad_y = grads[0].contiguous();
    variable_list out{at::empty_like(in[0]), at::empty_like(in[1]), at::empty_like(in[2]),
                      at::Tensor()};
    AT_DISPATCH_FLOATING_TYPES(grad_y.scalar_type(), "deform_attn_backward", [&] {
      const kernels::OwnWorkspace workspace(kernels::deform_attn_workspace<scalar_t>(shape));
      kernels::deform_attn_backward<scalar_t>(shape, input_of<scalar_t>(in),
                                              grad_y.data_ptr<scalar_t>(),
                                              {.values = out[0].data_ptr<scalar_t>(),
                                               .offsets = out[1].data_ptr<scalar_t>(),
                                               .weights = out[2].data_ptr<scalar_t>()},
                                              workspace);
    });
    return out;
  }
};

}  // namespace

at::Tensor TorchOps::deform_attn(const Tensor& values, const Tensor& offsets, const Tensor& weights,
                                 const net::DeformableAttention& where) {
  if (!runs_on(values.device())) {
    return ComposedOps::deform_attn(values, offsets, weights, where);
  }
  return DeformFunction::apply(values, offsets, weights, packed(where));
}

}  // namespace medurwkv::torch_backend
