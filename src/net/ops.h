// The vocabulary that networks are written in. A network is a straight-line function over an
// interpreter `Ops`, which gives the words meaning: TorchOps (torch/torch_ops.h) computes with
// autograd, RecordOps (plan/record_ops.h) writes a plan. Relies on net/parameters.h.
//
// Layouts: tokens are batch x tokens x channels (row-major over the grid), maps are
// batch x channels x height x width. Weights have LibTorch's layouts: linear out x in, convolution
// out x in/groups x kernel x kernel, transposed convolution in x out x kernel x kernel.
//
// Below the concept stand the fused operations: each has a default composition in the vocabulary,
// which an interpreter overrides with a member of the same name.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/config.h"
#include "net/parameters.h"

namespace medurwkv::net {

struct Convolution {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
};

enum class Interpolation { bilinear, bicubic };

/// Multi-scale deformable attention (Deformable DETR, Zhu et al. 2021): where queries stand, which
/// maps they sample.
struct DeformableAttention {
  std::vector<Grid>
      queries;  ///< grids whose pixel centres are the reference points, one after another
  std::vector<Grid> levels;  ///< grids of the sampled values, one after another
  std::int64_t heads = 1;
  std::int64_t points = 4;
};

/// The four tensors of a batch normalisation and its counter.
template <class Tensor>
struct BatchNorm {
  Tensor weight, bias, running_mean, running_var, batches;
};

// clang-format off
template <class T>
concept Ops = requires(T& ops, const typename T::Tensor& x, const std::optional<typename T::Tensor>& bias,
                       const ParameterSpec& spec, const std::vector<typename T::Tensor>& several,
                       std::int64_t n, double number, const std::string& name) {
  /// Marks which part of the network the following operations belong to.
  { ops.begin_stage(name) } -> std::same_as<void>;
  /// A parameter or buffer by its name.
  { ops.param(spec) } -> std::same_as<typename T::Tensor>;
  { ops.shape(x) } -> std::same_as<Shape>;
  { ops.linear(x, x, bias) } -> std::same_as<typename T::Tensor>;
  { ops.conv2d(x, x, bias, Convolution{}) } -> std::same_as<typename T::Tensor>;
  /// Kernel = stride = n, no padding.
  { ops.conv_transpose2d(x, x, bias, n) } -> std::same_as<typename T::Tensor>;
  /// eps 1e-5, momentum 0.1; batch statistics in training, running ones otherwise.
  { ops.batch_norm(x, BatchNorm<typename T::Tensor>{}) } -> std::same_as<typename T::Tensor>;
  /// Over the last dimension: (x, weight, bias, epsilon).
  { ops.layer_norm(x, x, x, number) } -> std::same_as<typename T::Tensor>;
  { ops.relu(x) } -> std::same_as<typename T::Tensor>;
  /// The erf form.
  { ops.gelu(x) } -> std::same_as<typename T::Tensor>;
  { ops.sigmoid(x) } -> std::same_as<typename T::Tensor>;
  { ops.tanh(x) } -> std::same_as<typename T::Tensor>;
  /// Element by element; a second operand of fewer dimensions is repeated over the leading ones.
  { ops.add(x, x) } -> std::same_as<typename T::Tensor>;
  { ops.subtract(x, x) } -> std::same_as<typename T::Tensor>;
  { ops.multiply(x, x) } -> std::same_as<typename T::Tensor>;
  /// q_shift: the four quarters of the channels come from the left, right, upper, lower neighbour.
  { ops.shift(x, Grid{}) } -> std::same_as<typename T::Tensor>;
  /// (decay, first, key, value, mode); decay and first are divided by the number of tokens inside.
  { ops.bi_wkv(x, x, x, x, WkvMode::exact) } -> std::same_as<typename T::Tensor>;
  /// (values, offsets in pixels, weights before softmax, where): batch x queries x values' width.
  { ops.deform_attn(x, x, x, DeformableAttention{}) } -> std::same_as<typename T::Tensor>;
  /// Maps: (x, kernel, stride, padding).
  { ops.max_pool(x, n, n, n) } -> std::same_as<typename T::Tensor>;
  /// Along dimension 1: tokens of tokens, channels of maps.
  { ops.concat(several) } -> std::same_as<typename T::Tensor>;
  /// Along dimension 1: (x, start, count).
  { ops.slice(x, n, n) } -> std::same_as<typename T::Tensor>;
  /// Row n of a matrix: one value per column.
  { ops.row(x, n) } -> std::same_as<typename T::Tensor>;
  /// Maps, pixel centres aligned (align_corners = false), bicubic with a = -0.75.
  { ops.resize(x, Grid{}, Interpolation::bilinear) } -> std::same_as<typename T::Tensor>;
  /// Tokens of a grid to those of the grid n times as fine: element (py n + px) c + ch of a token
  /// becomes channel ch of pixel (n y + py, n x + px).
  { ops.expand(x, Grid{}, n) } -> std::same_as<typename T::Tensor>;
  { ops.to_tokens(x) } -> std::same_as<typename T::Tensor>;
  { ops.to_map(x, Grid{}) } -> std::same_as<typename T::Tensor>;
  /// Mean over tokens: batch x channels.
  { ops.mean_tokens(x) } -> std::same_as<typename T::Tensor>;
  /// Maps, on the right and at the bottom, with the edge's values; and back.
  { ops.pad_edge(x, Grid{}) } -> std::same_as<typename T::Tensor>;
  { ops.crop(x, Grid{}) } -> std::same_as<typename T::Tensor>;
  /// In training: 0 for whole samples with probability `number`, the others scaled by 1/(1 - number).
  { ops.drop_path(x, number, name) } -> std::same_as<typename T::Tensor>;
};
// clang-format on

// Fused operations: an interpreter's own member, or the composition in the vocabulary.

/// For every mix m (one value per channel): x m + shift(x) (1 - m).
template <Ops O>
std::vector<typename O::Tensor> shift_mix(O& ops, const typename O::Tensor& x,
                                          const std::vector<typename O::Tensor>& mixes, Grid grid) {
  if constexpr (requires { ops.shift_mix(x, mixes, grid); }) {
    return ops.shift_mix(x, mixes, grid);
  } else {
    const auto shifted = ops.shift(x, grid);
    const auto difference = ops.subtract(x, shifted);
    std::vector<typename O::Tensor> out;
    for (const auto& mix : mixes) out.push_back(ops.add(shifted, ops.multiply(difference, mix)));
    return out;
  }
}

/// sigmoid(receptance) y.
template <Ops O>
typename O::Tensor gate(O& ops, const typename O::Tensor& receptance, const typename O::Tensor& y) {
  if constexpr (requires { ops.gate(receptance, y); }) {
    return ops.gate(receptance, y);
  } else {
    return ops.multiply(ops.sigmoid(receptance), y);
  }
}

/// relu(x)^2.
template <Ops O>
typename O::Tensor squared_relu(O& ops, const typename O::Tensor& x) {
  if constexpr (requires { ops.squared_relu(x); }) {
    return ops.squared_relu(x);
  } else {
    const auto positive = ops.relu(x);
    return ops.multiply(positive, positive);
  }
}

/// x + scale branch; scale has one value per channel.
template <Ops O>
typename O::Tensor scale_add(O& ops, const typename O::Tensor& x, const typename O::Tensor& scale,
                             const typename O::Tensor& branch) {
  if constexpr (requires { ops.scale_add(x, scale, branch); }) {
    return ops.scale_add(x, scale, branch);
  } else {
    return ops.add(x, ops.multiply(branch, scale));
  }
}

/// Layer normalisation of the tokens that `expand` makes: (x, grid, factor, weight, bias, epsilon).
template <Ops O>
typename O::Tensor expand_norm(O& ops, const typename O::Tensor& x, Grid grid, std::int64_t factor,
                               const typename O::Tensor& weight, const typename O::Tensor& bias,
                               double epsilon) {
  if constexpr (requires { ops.expand_norm(x, grid, factor, weight, bias, epsilon); }) {
    return ops.expand_norm(x, grid, factor, weight, bias, epsilon);
  } else {
    return ops.layer_norm(ops.expand(x, grid, factor), weight, bias, epsilon);
  }
}

/// relu of a batch normalisation.
template <Ops O>
typename O::Tensor norm_relu(O& ops, const typename O::Tensor& x,
                             const BatchNorm<typename O::Tensor>& norm) {
  if constexpr (requires { ops.norm_relu(x, norm); }) {
    return ops.norm_relu(x, norm);
  } else {
    return ops.relu(ops.batch_norm(x, norm));
  }
}

}  // namespace medurwkv::net
