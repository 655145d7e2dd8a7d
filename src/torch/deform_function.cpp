// Deformable attention for TorchOps: our kernel as an autograd function on the CPU, a composition
// with LibTorch's grid sampler elsewhere. Relies on kernels/deform_attn.h and LibTorch's autograd.
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/deform_attn.h"
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {
namespace {

using net::Grid;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::vector<kernels::DeformGrid> grids_of(const std::vector<Grid>& grids) {
  std::vector<kernels::DeformGrid> out;
  std::int64_t start = 0;
  for (const Grid& grid : grids) {
    out.push_back({.height = grid.height, .width = grid.width, .start = start});
    start += grid.tokens();
  }
  return out;
}

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
  std::vector<Grid> queries;
  std::vector<Grid> levels;
  for (std::size_t i = 3; i < where.size(); i += 2) {
    const bool query = static_cast<std::int64_t>(queries.size()) < where[2];
    (query ? queries : levels).push_back({where[i], where[i + 1]});
  }
  return {.batch = values.size(0),
          .heads = where[0],
          .points = where[1],
          .width = values.size(2) / where[0],
          .queries = grids_of(queries),
          .levels = grids_of(levels)};
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
      kernels::deform_attn_forward(shape_of(where, in[0]), input_of<scalar_t>(in),
                                   y.data_ptr<scalar_t>());
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
      kernels::deform_attn_backward(shape, input_of<scalar_t>(in), grad_y.data_ptr<scalar_t>(),
                                    {.values = out[0].data_ptr<scalar_t>(),
                                     .offsets = out[1].data_ptr<scalar_t>(),
                                     .weights = out[2].data_ptr<scalar_t>()});
    });
    return out;
  }
};

}  // namespace

at::Tensor deform_attn_composition(const at::Tensor& values, const at::Tensor& offsets,
                                   const at::Tensor& weights,
                                   const net::DeformableAttention& where) {
  const std::int64_t batch = values.size(0);
  const std::int64_t queries = offsets.size(1);
  const std::int64_t heads = where.heads;
  const std::int64_t points = where.points;
  const std::int64_t width = values.size(2) / heads;
  const auto levels = static_cast<std::int64_t>(where.levels.size());

  std::vector<at::Tensor> centres;
  for (const Grid grid : where.queries) {
    const auto axis = [&](std::int64_t length) {
      return (at::arange(length, offsets.options()) + 0.5) / length;
    };
    const at::Tensor y = axis(grid.height).reshape({-1, 1}).expand({grid.height, grid.width});
    const at::Tensor x = axis(grid.width).expand({grid.height, grid.width});
    centres.push_back(at::stack({x, y}, -1).reshape({grid.tokens(), 2}));
  }
  const at::Tensor reference = at::cat(centres, 0).reshape({1, queries, 1, 1, 2});
  const at::Tensor pixels = offsets.reshape({batch, queries, heads, levels, points, 2});
  const at::Tensor attention = weights.reshape({batch, queries, heads, levels * points})
                                   .softmax(-1)
                                   .reshape({batch, queries, heads, levels, points});

  at::Tensor sum;
  std::int64_t start = 0;
  for (std::int64_t l = 0; l < levels; ++l) {
    const Grid grid = where.levels[static_cast<std::size_t>(l)];
    const at::Tensor size = at::tensor(
        {static_cast<double>(grid.width), static_cast<double>(grid.height)}, offsets.options());
    const at::Tensor at_points = 2 * (reference + pixels.select(3, l) / size) - 1;
    const at::Tensor map = values.narrow(1, start, grid.tokens())
                               .reshape({batch, grid.height, grid.width, heads, width})
                               .permute({0, 3, 4, 1, 2})
                               .reshape({batch * heads, width, grid.height, grid.width});
    start += grid.tokens();
    const at::Tensor sampled = at::grid_sampler(
        map, at_points.permute({0, 2, 1, 3, 4}).reshape({batch * heads, queries, points, 2}),
        /*bilinear*/ 0, /*zeros*/ 0, /*align_corners*/ false);
    const at::Tensor weight =
        attention.select(3, l).permute({0, 2, 1, 3}).reshape({batch * heads, 1, queries, points});
    const at::Tensor level = (sampled * weight).sum(-1);
    sum = l == 0 ? level : sum + level;
  }
  return sum.reshape({batch, heads * width, queries}).transpose(1, 2);
}

at::Tensor TorchOps::deform_attn(const Tensor& values, const Tensor& offsets, const Tensor& weights,
                                 const net::DeformableAttention& where) {
  if (!values.device().is_cpu()) {
    return deform_attn_composition(values, offsets, weights, where);
  }
  return DeformFunction::apply(values, offsets, weights, packed(where));
}

}  // namespace medurwkv::torch_backend
