// Med-URWKV: encoder, bottleneck, decoder and head, and the networks made of its parts. Source: the
// paper (arXiv 2506.10858) where it speaks; where it is silent the choice is ours
// (docs/architecture.md). Relies on net/encoder.h and net/unet.h.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "core/error.h"
#include "net/encoder.h"
#include "net/unet.h"

namespace medurwkv::net {

/// What a network gives: the result and the stages on the way, for comparison with others.
template <class Tensor>
struct NetworkOutput {
  Tensor logits{};  ///< pixels: batch x classes x height x width; images: batch x classes
  std::vector<Tensor> features;      ///< f1..f4 (maps) of an encoder
  std::optional<Tensor> bottleneck;  ///< tokens
  std::vector<Tensor> decoder;       ///< tokens after each decoder stage
};

/// Configuration of block `index`, counted over bottleneck and decoder together.
inline BlockConfig decoder_block(const NetworkConfig& config, std::int64_t width,
                                 std::int64_t index) {
  std::int64_t blocks = config.bottleneck_depth;
  for (const std::int64_t depth : config.decoder_depths) blocks += depth;
  return {.width = width, .wkv = config.wkv, .layer_scale = 1.0, .block = index, .blocks = blocks};
}

/// Makes the grid twice as fine, adds the encoder's map, then runs the blocks.
template <Ops O>
typename O::Tensor decoder_stage(O& ops, const Scope& params, const NetworkConfig& config,
                                 std::size_t stage, std::int64_t first, std::int64_t in,
                                 const typename O::Tensor& x, Grid grid,
                                 const typename O::Tensor& feature) {
  const std::int64_t width = config.encoder.width >> stage;
  const Grid fine{2 * grid.height, 2 * grid.width};
  const auto wide = linear(ops, params / "expand", x, in, 4 * width, false);
  const auto expanded = expand_norm(ops, params / "expand_norm", wide, grid, 2, width);
  const auto skip =
      linear(ops, params / "skip", ops.to_tokens(feature), config.encoder.width, width, true);
  auto y = ops.add(expanded, skip);
  for (std::int64_t i = 0; i < config.decoder_depths[stage]; ++i) {
    y = block(ops, params / "blocks" / i, decoder_block(config, width, first + i), y, fine);
  }
  return y;
}

/// A 4x4 patch per token at stride 4, then the classes: logits at full resolution, as a map.
template <Ops O>
typename O::Tensor head(O& ops, const Scope& params, const NetworkConfig& config,
                        const typename O::Tensor& x, Grid grid) {
  const std::int64_t in = config.encoder.width / 4;
  const std::int64_t width = config.encoder.width / 8;
  const auto wide = linear(ops, params / "expand", x, in, 16 * width, false);
  const auto pixels = expand_norm(ops, params / "norm", wide, grid, 4, width);
  const auto logits = linear(ops, params / "classify", pixels, width, config.classes, true);
  return ops.to_map(logits, {4 * grid.height, 4 * grid.width});
}

/// image: batch x channels x height x width, any height and width.
template <Ops O>
NetworkOutput<typename O::Tensor> med_urwkv(O& ops, const NetworkConfig& config,
                                            const typename O::Tensor& image) {
  const Grid size = grid_of(ops, image);
  const auto padded = pad_to_multiple(ops, image, 32);
  const Grid padded_size = grid_of(ops, padded);
  NetworkOutput<typename O::Tensor> out;
  const auto maps =
      encoder(ops, Scope("encoder"), config.encoder, config.wkv, config.channels, padded);
  out.features.assign(maps.begin(), maps.end());

  ops.begin_stage("bottleneck");
  const std::int64_t width = config.encoder.width;
  Grid grid{padded_size.height / 32, padded_size.width / 32};
  auto x = ops.to_tokens(maps[3]);
  std::int64_t index = 0;
  for (; index < config.bottleneck_depth; ++index) {
    x = block(ops, Scope("bottleneck.blocks") / index, decoder_block(config, width, index), x,
              grid);
  }
  out.bottleneck = x;

  std::int64_t in = width;
  for (std::size_t stage = 0; stage < config.decoder_depths.size(); ++stage) {
    ops.begin_stage(concat("decoder.", stage));
    x = decoder_stage(ops, Scope("decoder") / static_cast<std::int64_t>(stage), config, stage,
                      index, in, x, grid, maps[2 - stage]);
    index += config.decoder_depths[stage];
    in = width >> stage;
    grid = {2 * grid.height, 2 * grid.width};
    out.decoder.push_back(x);
  }

  ops.begin_stage("head");
  out.logits = crop_to(ops, head(ops, Scope("head"), config, x, grid), size);
  return out;
}

/// The plain Vision-RWKV classifier: final ln1, mean over tokens, one linear layer or two.
template <Ops O>
NetworkOutput<typename O::Tensor> classifier(O& ops, const NetworkConfig& config,
                                             const typename O::Tensor& image) {
  const EncoderConfig& trunk = config.encoder;
  const Scope params("backbone");
  ops.begin_stage("backbone");
  const auto padded = pad_to_multiple(ops, image, 16);
  auto x = embed_patches(ops, params, trunk, config.channels, padded);
  const Grid size = grid_of(ops, padded);
  const Grid grid{size.height / 16, size.width / 16};
  for (std::int64_t i = 0; i < trunk.depth(); ++i) {
    x = block(ops, params / "layers" / i, trunk_block(trunk, config.wkv, i), x, grid);
  }
  const auto pooled = ops.mean_tokens(layer_norm(ops, params / "ln1", x, trunk.width));
  ops.begin_stage("head");
  NetworkOutput<typename O::Tensor> out;
  if (config.classifier_hidden == 0) {
    out.logits = linear(ops, Scope("head.fc"), pooled, trunk.width, config.classes, true);
  } else {
    const auto hidden =
        linear(ops, Scope("head.0"), pooled, trunk.width, config.classifier_hidden, true);
    out.logits = linear(ops, Scope("head.2"), ops.tanh(hidden), config.classifier_hidden,
                        config.classes, true);
  }
  return out;
}

/// The network that `config` names, on `image` (batch x channels x height x width).
template <Ops O>
NetworkOutput<typename O::Tensor> network(O& ops, const NetworkConfig& config,
                                          const typename O::Tensor& image) {
  switch (config.architecture) {
    case Architecture::med_urwkv: return med_urwkv(ops, config, image);
    case Architecture::unet: {
      NetworkOutput<typename O::Tensor> out;
      out.logits = unet(ops, config, image);
      return out;
    }
    case Architecture::encoder: {
      NetworkOutput<typename O::Tensor> out;
      const auto maps = encoder(ops, Scope(), config.encoder, config.wkv, config.channels,
                                pad_to_multiple(ops, image, 32));
      out.features.assign(maps.begin(), maps.end());
      return out;
    }
    case Architecture::classifier: return classifier(ops, config, image);
  }
  throw_internal("unknown architecture");
}

}  // namespace medurwkv::net
