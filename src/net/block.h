// The Vision-RWKV block: spatial mix (bi-WKV attention) and channel mix. Source: Vision-RWKV (Duan
// et al., arXiv 2403.02308), names as in its published checkpoints. Relies on net/layers.h.
#pragma once

#include "net/layers.h"

namespace medurwkv::net {

/// The learnt weights of a token-shift mix.
template <Ops O>
typename O::Tensor mix_param(O& ops, const Scope& params, const std::string& leaf, Init init,
                             const BlockConfig& config) {
  return ops.param({.name = params.name(leaf),
                    .shape = {1, 1, config.width},
                    .init = init,
                    .block = config.block,
                    .blocks = config.blocks});
}

/// Attention at linear cost: output(sigmoid(r) bi-WKV(k, v)).
template <Ops O>
typename O::Tensor spatial_mix(O& ops, const Scope& params, const BlockConfig& config,
                               const typename O::Tensor& x, Grid grid) {
  const std::int64_t width = config.width;
  const auto per_channel = [&](const std::string& leaf, Init init) {
    return ops.param({.name = params.name(leaf),
                      .shape = {width},
                      .init = init,
                      .block = config.block,
                      .blocks = config.blocks});
  };
  const auto decay = per_channel("spatial_decay", Init::decay);
  const auto first = per_channel("spatial_first", Init::first);
  const auto mixed =
      shift_mix(ops, x,
                {mix_param(ops, params, "spatial_mix_k", Init::mix_key, config),
                 mix_param(ops, params, "spatial_mix_v", Init::mix_value, config),
                 mix_param(ops, params, "spatial_mix_r", Init::mix_receptance, config)},
                grid);
  const auto key = linear(ops, params / "key", mixed[0], width, width, false);
  const auto value = linear(ops, params / "value", mixed[1], width, width, false);
  const auto receptance = linear(ops, params / "receptance", mixed[2], width, width, false);
  auto y = ops.bi_wkv(decay, first, key, value, config.wkv);
  if (config.key_norm) y = layer_norm(ops, params / "key_norm", y, width);
  return linear(ops, params / "output", gate(ops, receptance, y), width, width, false);
}

/// The feed-forward part: sigmoid(r) value(relu(key)^2), four times as wide inside.
template <Ops O>
typename O::Tensor channel_mix(O& ops, const Scope& params, const BlockConfig& config,
                               const typename O::Tensor& x, Grid grid) {
  const std::int64_t width = config.width;
  const std::int64_t hidden = 4 * width;
  const auto mixed = shift_mix(ops, x,
                               {mix_param(ops, params, "spatial_mix_k", Init::mix_key, config),
                                mix_param(ops, params, "spatial_mix_r", Init::mix_key, config)},
                               grid);
  auto key = squared_relu(ops, linear(ops, params / "key", mixed[0], width, hidden, false));
  if (config.key_norm) key = layer_norm(ops, params / "key_norm", key, hidden);
  const auto receptance = linear(ops, params / "receptance", mixed[1], width, width, false);
  const auto value = linear(ops, params / "value", key, hidden, width, false);
  return gate(ops, receptance, value);
}

/// x + gamma branch, or x + branch without layer scale.
template <Ops O>
typename O::Tensor add_branch(O& ops, const Scope& params, const std::string& gamma,
                              const BlockConfig& config, const typename O::Tensor& x,
                              const typename O::Tensor& branch) {
  const auto kept = ops.drop_path(branch, config.drop_path, params.name(gamma));
  if (!config.layer_scale) return ops.add(x, kept);
  const auto scale = ops.param({.name = params.name(gamma),
                                .shape = {config.width},
                                .init = Init::constant,
                                .constant = *config.layer_scale});
  return scale_add(ops, x, scale, kept);
}

/// x: tokens of `grid`, `config.width` channels; the same shape comes out.
template <Ops O>
typename O::Tensor block(O& ops, const Scope& params, const BlockConfig& config,
                         typename O::Tensor x, Grid grid) {
  if (config.first) x = layer_norm(ops, params / "ln0", x, config.width);
  const auto branch = [&](const std::string& norm, const auto& body) {
    if (config.post_norm) return layer_norm(ops, params / norm, body(x), config.width);
    return body(layer_norm(ops, params / norm, x, config.width));
  };
  x = add_branch(ops, params, "gamma1", config, x, branch("ln1", [&](const typename O::Tensor& in) {
                   return spatial_mix(ops, params / "att", config, in, grid);
                 }));
  return add_branch(ops, params, "gamma2", config, x,
                    branch("ln2", [&](const typename O::Tensor& in) {
                      return channel_mix(ops, params / "ffn", config, in, grid);
                    }));
}

}  // namespace medurwkv::net
