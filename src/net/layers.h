// Parameters and the operation they belong to, under their published names. Relies on net/ops.h.
#pragma once

#include <optional>
#include <string>

#include "net/ops.h"

namespace medurwkv::net {

inline constexpr double block_epsilon = 1e-5;    ///< of every LayerNorm but the adapter's
inline constexpr double adapter_epsilon = 1e-6;  ///< of the adapter's LayerNorms

template <Ops O>
typename O::Tensor linear(O& ops, const Scope& params, const typename O::Tensor& x, std::int64_t in,
                          std::int64_t out, bool with_bias, Init init = Init::linear_normal) {
  const auto weight = ops.param({.name = params.name("weight"), .shape = {out, in}, .init = init});
  std::optional<typename O::Tensor> bias;
  if (with_bias) bias = ops.param({.name = params.name("bias"), .shape = {out}});
  return ops.linear(x, weight, bias);
}

template <Ops O>
typename O::Tensor layer_norm(O& ops, const Scope& params, const typename O::Tensor& x,
                              std::int64_t width, double epsilon = block_epsilon) {
  const auto weight =
      ops.param({.name = params.name("weight"), .shape = {width}, .init = Init::ones});
  const auto bias = ops.param({.name = params.name("bias"), .shape = {width}});
  return ops.layer_norm(x, weight, bias, epsilon);
}

/// Layer normalisation of what `expand` makes of x.
template <Ops O>
typename O::Tensor expand_norm(O& ops, const Scope& params, const typename O::Tensor& x, Grid grid,
                               std::int64_t factor, std::int64_t width) {
  const auto weight =
      ops.param({.name = params.name("weight"), .shape = {width}, .init = Init::ones});
  const auto bias = ops.param({.name = params.name("bias"), .shape = {width}});
  return expand_norm(ops, x, grid, factor, weight, bias, block_epsilon);
}

template <Ops O>
BatchNorm<typename O::Tensor> batch_norm_params(O& ops, const Scope& params, std::int64_t width) {
  return {
      .weight = ops.param({.name = params.name("weight"), .shape = {width}, .init = Init::ones}),
      .bias = ops.param({.name = params.name("bias"), .shape = {width}}),
      .running_mean =
          ops.param({.name = params.name("running_mean"), .shape = {width}, .buffer = true}),
      .running_var = ops.param({.name = params.name("running_var"),
                                .shape = {width},
                                .init = Init::ones,
                                .buffer = true}),
      .batches = ops.param({.name = params.name("num_batches_tracked"),
                            .shape = {},
                            .buffer = true,
                            .integer = true})};
}

template <Ops O>
typename O::Tensor batch_norm(O& ops, const Scope& params, const typename O::Tensor& x,
                              std::int64_t width) {
  return ops.batch_norm(x, batch_norm_params(ops, params, width));
}

struct Conv2dShape {
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t kernel = 3;
  bool bias = false;
};

template <Ops O>
typename O::Tensor conv2d(O& ops, const Scope& params, const typename O::Tensor& x,
                          const Conv2dShape& shape, const Convolution& how) {
  const auto fan_out = static_cast<double>(shape.kernel * shape.kernel * shape.out) /
                       static_cast<double>(how.groups);
  const auto weight =
      ops.param({.name = params.name("weight"),
                 .shape = {shape.out, shape.in / how.groups, shape.kernel, shape.kernel},
                 .init = Init::convolution,
                 .fan = fan_out});
  std::optional<typename O::Tensor> bias;
  if (shape.bias) bias = ops.param({.name = params.name("bias"), .shape = {shape.out}});
  return ops.conv2d(x, weight, bias, how);
}

/// Kernel = stride = 2: twice the height and width.
template <Ops O>
typename O::Tensor upsample2(O& ops, const Scope& params, const typename O::Tensor& x,
                             std::int64_t in, std::int64_t out) {
  const auto weight = ops.param({.name = params.name("weight"),
                                 .shape = {in, out, 2, 2},
                                 .init = Init::convolution,
                                 .fan = static_cast<double>(4 * out)});
  const std::optional<typename O::Tensor> bias =
      ops.param({.name = params.name("bias"), .shape = {out}});
  return ops.conv_transpose2d(x, weight, bias, 2);
}

/// Height and width of a map.
template <Ops O>
Grid grid_of(O& ops, const typename O::Tensor& map) {
  const Shape shape = ops.shape(map);
  return {shape[2], shape[3]};
}

/// The map padded so that both sides are multiples of `step`; itself when they are.
template <Ops O>
typename O::Tensor pad_to_multiple(O& ops, const typename O::Tensor& map, std::int64_t step) {
  const Grid grid = grid_of(ops, map);
  const Grid padded{round_up(grid.height, step), round_up(grid.width, step)};
  return padded == grid ? map : ops.pad_edge(map, padded);
}

/// The upper left part of `map`; itself when it has that size.
template <Ops O>
typename O::Tensor crop_to(O& ops, const typename O::Tensor& map, Grid grid) {
  return grid_of(ops, map) == grid ? map : ops.crop(map, grid);
}

}  // namespace medurwkv::net
