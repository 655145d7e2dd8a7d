// A plan run operation by operation through an interpreter of LibTorch tensors: what benchmarks
// time, and what tests compare value by value. Relies on net, plan and torch/torch_ops.h.
#pragma once

#include "torch/aten.h"

#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "net/ops.h"
#include "plan/ops.h"
#include "plan/plan.h"

namespace medurwkv::torch_backend {

/// The results of `op` on `in`, its inputs in the plan's order. Throws an internal Error for an
/// operation that networks are not written in.
template <net::Ops O>
std::vector<at::Tensor> run_operation(O& ops, const plan::Operation& op,
                                      const std::vector<at::Tensor>& in) {
  namespace of = plan::op;
  const auto bias = [&]() -> std::optional<at::Tensor> {
    return in.size() > 2 ? std::optional(in[2]) : std::nullopt;
  };
  const auto grid = [&] { return std::get<net::Grid>(op.detail); };
  const auto norm = [&]() -> net::BatchNorm<at::Tensor> {
    return {.weight = in[1],
            .bias = in[2],
            .running_mean = in[3],
            .running_var = in[4],
            .batches = at::zeros({}, at::kLong)};
  };
  const auto range = [&] { return std::get<plan::Range>(op.detail); };
  const auto expand = [&] { return std::get<plan::Expand>(op.detail); };
  if (op.is(of::linear)) return {ops.linear(in[0], in[1], bias())};
  if (op.is(of::conv2d)) {
    return {ops.conv2d(in[0], in[1], bias(), std::get<net::Convolution>(op.detail))};
  }
  if (op.is(of::conv_transpose2d)) {
    return {ops.conv_transpose2d(in[0], in[1], bias(), std::get<plan::Stride>(op.detail).value)};
  }
  if (op.is(of::batch_norm)) return {ops.batch_norm(in[0], norm())};
  if (op.is(of::norm_relu)) return {net::norm_relu(ops, in[0], norm())};
  if (op.is(of::layer_norm)) {
    return {ops.layer_norm(in[0], in[1], in[2], std::get<plan::Epsilon>(op.detail).value)};
  }
  if (op.is(of::expand_norm)) {
    return {net::expand_norm(ops, in[0], expand().from, expand().factor, in[1], in[2],
                             expand().epsilon)};
  }
  if (op.is(of::relu)) return {ops.relu(in[0])};
  if (op.is(of::gelu)) return {ops.gelu(in[0])};
  if (op.is(of::sigmoid)) return {ops.sigmoid(in[0])};
  if (op.is(of::tanh)) return {ops.tanh(in[0])};
  if (op.is(of::squared_relu)) return {net::squared_relu(ops, in[0])};
  if (op.is(of::add)) return {ops.add(in[0], in[1])};
  if (op.is(of::subtract)) return {ops.subtract(in[0], in[1])};
  if (op.is(of::multiply)) return {ops.multiply(in[0], in[1])};
  if (op.is(of::scale_add)) return {net::scale_add(ops, in[0], in[1], in[2])};
  if (op.is(of::gate)) return {net::gate(ops, in[0], in[1])};
  if (op.is(of::shift)) return {ops.shift(in[0], grid())};
  if (op.is(of::shift_mix)) {
    return net::shift_mix(ops, in[0], {in.begin() + 1, in.end()}, grid());
  }
  if (op.is(of::bi_wkv)) {
    return {ops.bi_wkv(in[2], in[3], in[0], in[1], std::get<net::WkvMode>(op.detail))};
  }
  if (op.is(of::deform_attn)) {
    return {ops.deform_attn(in[0], in[1], in[2], std::get<net::DeformableAttention>(op.detail))};
  }
  if (op.is(of::max_pool)) {
    const auto& pool = std::get<plan::Pool>(op.detail);
    return {ops.max_pool(in[0], pool.kernel, pool.stride, pool.padding)};
  }
  if (op.is(of::concat)) return {ops.concat(in)};
  if (op.is(of::slice)) return {ops.slice(in[0], range().start, range().count)};
  if (op.is(of::row)) return {ops.row(in[0], range().start)};
  if (op.is(of::resize)) {
    const auto& resize = std::get<plan::Resize>(op.detail);
    return {ops.resize(in[0], resize.to, resize.how)};
  }
  if (op.is(of::expand)) return {ops.expand(in[0], expand().from, expand().factor)};
  if (op.is(of::to_tokens)) return {ops.to_tokens(in[0])};
  if (op.is(of::to_map)) return {ops.to_map(in[0], grid())};
  if (op.is(of::mean_tokens)) return {ops.mean_tokens(in[0])};
  if (op.is(of::pad_edge)) return {ops.pad_edge(in[0], grid())};
  if (op.is(of::crop)) return {ops.crop(in[0], grid())};
  throw_internal(concat("LibTorch has no operation ", op.type->name));
}

}  // namespace medurwkv::torch_backend
