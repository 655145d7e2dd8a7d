// The encoder: a plain Vision-RWKV trunk beside a spatial prior, joined by deformable attention
// (VRWKV adapter, after ViT-Adapter, Chen et al. 2023). Relies on net/block.h.
#pragma once

#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/text.h"
#include "net/block.h"

namespace medurwkv::net {

/// Grids at strides 8, 16, 32 for a grid at stride 16 whose sides are even.
inline std::vector<Grid> pyramid(Grid grid) {
  return {{2 * grid.height, 2 * grid.width}, grid, {grid.height / 2, grid.width / 2}};
}

template <Ops O>
typename O::Tensor conv_norm_relu(O& ops, const Scope& conv, const Scope& norm,
                                  const typename O::Tensor& x, std::int64_t in, std::int64_t out,
                                  std::int64_t stride) {
  const auto y = conv2d(ops, conv, x, {.in = in, .out = out}, {.stride = stride, .padding = 1});
  return norm_relu(ops, y, batch_norm_params(ops, norm, out));
}

/// The spatial prior: c1 at stride 4 stays a map, c2..c4 at strides 8, 16, 32 become tokens.
template <class Tensor>
struct SpatialPrior {
  Tensor map, tokens8, tokens16, tokens32;
};

template <Ops O>
SpatialPrior<typename O::Tensor> spatial_prior(O& ops, const Scope& params,
                                               const EncoderConfig& config, std::int64_t channels,
                                               const typename O::Tensor& image) {
  const std::int64_t p = config.prior_width;
  const auto layer = [&](const std::string& part, std::int64_t index, const typename O::Tensor& x,
                         std::int64_t in, std::int64_t out, std::int64_t stride) {
    const Scope scope = params / part;
    return conv_norm_relu(ops, scope / index, scope / (index + 1), x, in, out, stride);
  };
  auto x = layer("stem", 0, image, channels, p, 2);
  x = layer("stem", 3, x, p, p, 1);
  x = layer("stem", 6, x, p, p, 1);
  const auto c1 = ops.max_pool(x, 3, 2, 1);
  const auto c2 = layer("conv2", 0, c1, p, 2 * p, 2);
  const auto c3 = layer("conv3", 0, c2, 2 * p, 4 * p, 2);
  const auto c4 = layer("conv4", 0, c3, 4 * p, 4 * p, 2);
  const auto project = [&](const std::string& name, const typename O::Tensor& map,
                           std::int64_t in) {
    return conv2d(ops, params / name, map,
                  {.in = in, .out = config.width, .kernel = 1, .bias = true}, {});
  };
  return {.map = project("fc1", c1, p),
          .tokens8 = ops.to_tokens(project("fc2", c2, 2 * p)),
          .tokens16 = ops.to_tokens(project("fc3", c3, 4 * p)),
          .tokens32 = ops.to_tokens(project("fc4", c4, 4 * p))};
}

/// Deformable attention with its four linear maps.
template <Ops O>
typename O::Tensor deformable_attention(O& ops, const Scope& params, const EncoderConfig& config,
                                        const typename O::Tensor& query,
                                        const typename O::Tensor& feature,
                                        const DeformableAttention& where) {
  const std::int64_t width = config.width;
  const auto inner = static_cast<std::int64_t>(static_cast<double>(width) * config.deform_ratio);
  const auto levels = static_cast<std::int64_t>(where.levels.size());
  const std::int64_t samples = where.heads * levels * where.points;
  const auto values =
      linear(ops, params / "value_proj", feature, width, inner, true, Init::xavier_uniform);
  const Scope offset_scope = params / "sampling_offsets";
  const auto offset_weight =
      ops.param({.name = offset_scope.name("weight"), .shape = {2 * samples, width}});
  const std::optional<typename O::Tensor> offset_bias =
      ops.param({.name = offset_scope.name("bias"),
                 .shape = {2 * samples},
                 .init = Init::sampling_rays,
                 .heads = where.heads,
                 .levels = levels,
                 .points = where.points});
  const auto offsets = ops.linear(query, offset_weight, offset_bias);
  const auto weights =
      linear(ops, params / "attention_weights", query, width, samples, true, Init::zeros);
  return linear(ops, params / "output_proj", ops.deform_attn(values, offsets, weights, where),
                inner, width, true, Init::xavier_uniform);
}

/// The trunk's tokens x attend to the pyramid's tokens c.
template <Ops O>
typename O::Tensor injector(O& ops, const Scope& params, const EncoderConfig& config,
                            const typename O::Tensor& x, const typename O::Tensor& c, Grid grid) {
  const auto query = layer_norm(ops, params / "query_norm", x, config.width, adapter_epsilon);
  const auto feature = layer_norm(ops, params / "feat_norm", c, config.width, adapter_epsilon);
  const auto attended = deformable_attention(
      ops, params / "attn", config, query, feature,
      {.queries = {grid}, .levels = pyramid(grid), .heads = config.heads, .points = config.points});
  const auto gamma = ops.param({.name = params.name("gamma"), .shape = {config.width}});
  return scale_add(ops, x, gamma, attended);
}

/// linear to C/4, a 3x3 depthwise convolution on each of the three grids, GELU, linear back.
template <Ops O>
typename O::Tensor conv_ffn(O& ops, const Scope& params, const EncoderConfig& config,
                            const typename O::Tensor& c, Grid grid) {
  const std::int64_t hidden = config.width / 4;
  const auto x = linear(ops, params / "fc1", c, config.width, hidden, true);
  std::vector<typename O::Tensor> parts;
  std::int64_t start = 0;
  for (const Grid level : pyramid(grid)) {
    const auto map = ops.to_map(ops.slice(x, start, level.tokens()), level);
    parts.push_back(ops.to_tokens(conv2d(ops, params / "dwconv.dwconv", map,
                                         {.in = hidden, .out = hidden, .bias = true},
                                         {.padding = 1, .groups = hidden})));
    start += level.tokens();
  }
  return linear(ops, params / "fc2", ops.gelu(ops.concat(parts)), hidden, config.width, true);
}

/// The pyramid's tokens c attend to the trunk's tokens x; then a feed-forward branch.
template <Ops O>
typename O::Tensor extractor(O& ops, const Scope& params, const EncoderConfig& config,
                             const typename O::Tensor& c, const typename O::Tensor& x, Grid grid) {
  const auto query = layer_norm(ops, params / "query_norm", c, config.width, adapter_epsilon);
  const auto feature = layer_norm(ops, params / "feat_norm", x, config.width, adapter_epsilon);
  const auto attended =
      ops.add(c, deformable_attention(ops, params / "attn", config, query, feature,
                                      {.queries = pyramid(grid),
                                       .levels = {grid},
                                       .heads = config.heads,
                                       .points = config.points}));
  const auto normed = layer_norm(ops, params / "ffn_norm", attended, config.width, adapter_epsilon);
  const auto branch = conv_ffn(ops, params / "ffn", config, normed, grid);
  return ops.add(attended, ops.drop_path(branch, config.drop_path, params.name("ffn")));
}

/// Injector, the trunk's `blocks` (a function of x), extractor and, in the last interaction, two
/// more extractors. Returns the new x and c.
template <Ops O, class Blocks>
std::pair<typename O::Tensor, typename O::Tensor> interaction(
    O& ops, const Scope& params, const EncoderConfig& config, const typename O::Tensor& x,
    const typename O::Tensor& c, Grid grid, bool last, const Blocks& blocks) {
  const auto trunk = blocks(injector(ops, params / "injector", config, x, c, grid));
  auto prior = extractor(ops, params / "extractor", config, c, trunk, grid);
  if (last) {
    prior = extractor(ops, params / "extra_extractors.0", config, prior, trunk, grid);
    prior = extractor(ops, params / "extra_extractors.1", config, prior, trunk, grid);
  }
  return {trunk, prior};
}

/// Tokens of one grid resized bicubically to another; themselves when the grids are equal.
template <Ops O>
typename O::Tensor resize_tokens(O& ops, const typename O::Tensor& tokens, Grid from, Grid to) {
  if (from == to) return tokens;
  return ops.to_tokens(ops.resize(ops.to_map(tokens, from), to, Interpolation::bicubic));
}

/// 16x16 patches as tokens, plus the position embedding resized to their grid.
template <Ops O>
typename O::Tensor embed_patches(O& ops, const Scope& params, const EncoderConfig& config,
                                 std::int64_t channels, const typename O::Tensor& image) {
  const auto map =
      conv2d(ops, params / "patch_embed.projection", image,
             {.in = channels, .out = config.width, .kernel = 16, .bias = true}, {.stride = 16});
  const Grid grid = grid_of(ops, map);
  const Grid stored{config.position_grid, config.position_grid};
  const auto position =
      ops.param({.name = params.name("pos_embed"), .shape = {1, stored.tokens(), config.width}});
  return ops.add(ops.to_tokens(map), resize_tokens(ops, position, stored, grid));
}

/// Configuration of trunk block `index`.
inline BlockConfig trunk_block(const EncoderConfig& config, WkvMode wkv, std::int64_t index) {
  const std::int64_t depth = config.depth();
  return {.width = config.width,
          .wkv = wkv,
          .post_norm = config.post_norm,
          .key_norm = config.key_norm,
          .layer_scale = config.layer_scale,
          .first = index == 0,
          .block = index,
          .blocks = depth,
          .drop_path = depth > 1 ? config.drop_path * static_cast<double>(index) /
                                       static_cast<double>(depth - 1)
                                 : 0};
}

/// c2, c3, c4 with their level embeddings as one sequence.
template <Ops O>
typename O::Tensor join_pyramid(O& ops, const Scope& params, const EncoderConfig& config,
                                const SpatialPrior<typename O::Tensor>& prior) {
  const auto embedding = ops.param(
      {.name = params.name("level_embed"), .shape = {3, config.width}, .init = Init::normal});
  const auto level = [&](const typename O::Tensor& tokens, std::int64_t index) {
    return ops.add(tokens, ops.row(embedding, index));
  };
  return ops.concat({level(prior.tokens8, 0), level(prior.tokens16, 1), level(prior.tokens32, 2)});
}

/// The four maps at strides 4, 8, 16, 32, all `config.width` channels wide. The image's sides are
/// multiples of 32.
template <Ops O>
std::array<typename O::Tensor, 4> encoder(O& ops, const Scope& params, const EncoderConfig& config,
                                          WkvMode wkv, std::int64_t channels,
                                          const typename O::Tensor& image) {
  using Tensor = typename O::Tensor;
  ops.begin_stage("encoder.spatial_prior");
  const auto prior = spatial_prior(ops, params / "spm", config, channels, image);
  auto c = join_pyramid(ops, params, config, prior);
  ops.begin_stage("encoder.patch_embed");
  auto x = embed_patches(ops, params, config, channels, image);
  const Grid image_grid = grid_of(ops, image);
  const Grid grid{image_grid.height / 16, image_grid.width / 16};

  std::vector<Tensor> trunk;  // x1..x4: the trunk after each interaction, as maps
  std::int64_t layer = 0;
  const auto groups = static_cast<std::int64_t>(config.groups.size());
  for (std::int64_t g = 0; g < groups; ++g) {
    ops.begin_stage(concat("encoder.interaction", g));
    const auto blocks = [&](Tensor tokens) {
      for (std::int64_t i = 0; i < config.groups[static_cast<std::size_t>(g)]; ++i, ++layer) {
        tokens =
            block(ops, params / "layers" / layer, trunk_block(config, wkv, layer), tokens, grid);
      }
      return tokens;
    };
    std::tie(x, c) =
        interaction(ops, params / "interactions" / g, config, x, c, grid, g + 1 == groups, blocks);
    trunk.push_back(ops.to_map(x, grid));
  }

  ops.begin_stage("encoder.output");
  const std::vector<Grid> levels = pyramid(grid);
  std::array<Tensor, 4> maps;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    maps[i + 1] = ops.to_map(ops.slice(c, start, levels[i].tokens()), levels[i]);
    start += levels[i].tokens();
  }
  maps[0] = ops.add(upsample2(ops, params / "up", maps[1], config.width, config.width), prior.map);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const Grid size = grid_of(ops, maps[i]);
    const Tensor& from = trunk[i];
    const Tensor resized = size == grid ? from : ops.resize(from, size, Interpolation::bilinear);
    maps[i] =
        batch_norm(ops, params / concat("norm", i + 1), ops.add(maps[i], resized), config.width);
  }
  return maps;
}

}  // namespace medurwkv::net
