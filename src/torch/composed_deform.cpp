// Deformable attention from LibTorch's own operations: its grid sampler, on any device.
#include "torch/torch_ops.h"

namespace medurwkv::torch_backend {

using net::Grid;

at::Tensor ComposedOps::deform_attn(const Tensor& values, const Tensor& offsets,
                                    const Tensor& weights, const net::DeformableAttention& where) {
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

}  // namespace medurwkv::torch_backend
