// The plain U-Net, the baseline that everyone asks for: two 3x3 convolutions with batch norm and
// ReLU per level, four levels down by max pooling and up by transposed convolution. Source:
// Ronneberger et al. 2015, in the form with batch norm and padding that open implementations share.
// Relies on net/layers.h.
#pragma once

#include <vector>

#include "core/text.h"
#include "net/layers.h"

namespace medurwkv::net {

/// conv 3x3, batch norm, ReLU, twice.
template <Ops O>
typename O::Tensor double_convolution(O& ops, const Scope& params, const typename O::Tensor& x,
                                      std::int64_t in, std::int64_t out) {
  const auto half = [&](const typename O::Tensor& y, std::int64_t from, std::int64_t number) {
    const auto mapped =
        conv2d(ops, params / concat("conv", number), y, {.in = from, .out = out}, {.padding = 1});
    return norm_relu(ops, mapped, batch_norm_params(ops, params / concat("norm", number), out));
  };
  return half(half(x, in, 1), out, 2);
}

/// image: batch x channels x height x width, any height and width; logits of the same size.
template <Ops O>
typename O::Tensor unet(O& ops, const NetworkConfig& config, const typename O::Tensor& image) {
  constexpr std::int64_t levels = 4;
  const Grid size = grid_of(ops, image);
  auto x = pad_to_multiple(ops, image, std::int64_t{1} << levels);
  std::vector<typename O::Tensor> skips;
  std::int64_t width = config.unet_width;

  ops.begin_stage("down.0");
  x = double_convolution(ops, Scope("down.0"), x, config.channels, width);
  for (std::int64_t level = 1; level <= levels; ++level) {
    ops.begin_stage(concat("down.", level));
    skips.push_back(x);
    x = double_convolution(ops, Scope("down") / level, ops.max_pool(x, 2, 2, 0), width, 2 * width);
    width *= 2;
  }
  for (std::int64_t level = levels - 1; level >= 0; --level) {
    ops.begin_stage(concat("up.", level));
    const Scope params = Scope("up") / level;
    const auto fine = upsample2(ops, params / "expand", x, width, width / 2);
    const auto joined = ops.concat({skips[static_cast<std::size_t>(level)], fine});
    x = double_convolution(ops, params, joined, width, width / 2);
    width /= 2;
  }
  ops.begin_stage("head");
  const auto logits = conv2d(ops, Scope("head.classify"), x,
                             {.in = width, .out = config.classes, .kernel = 1, .bias = true}, {});
  return crop_to(ops, logits, size);
}

}  // namespace medurwkv::net
