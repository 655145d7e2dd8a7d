// Losses of segmentation: cross-entropy and soft Dice. Relies on ATen.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <vector>

namespace medurwkv::train {

/// Over which pixels one Dice is formed.
enum class DicePool {
  batch,  ///< all pixels of the batch (default)
  image,  ///< each image by itself, then the mean
};

struct LossOptions {
  double cross_entropy_weight = 1;
  double dice_weight = 1;
  DicePool pool = DicePool::batch;
  bool dice_background = false;       ///< include class 0 in the mean over classes
  double smooth = 1e-5;               ///< added above and below in Dice
  std::int64_t ignore_label = 255;    ///< pixels that take part in nothing
  std::vector<double> class_weights;  ///< of the cross-entropy; empty = all 1
};

/// Mean over counted pixels, or sum(w l) / sum(w) with class weights. `logits`: batch x classes x
/// height x width; `labels`: int64, batch x height x width.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options);

/// 1 - (2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth), mean over classes (and images).
at::Tensor dice_loss(const at::Tensor& logits, const at::Tensor& labels,
                     const LossOptions& options);

struct Loss {
  at::Tensor total, cross_entropy, dice;
};

/// The weighted sum and its parts.
Loss segmentation_loss(const at::Tensor& logits, const at::Tensor& labels,
                       const LossOptions& options);

}  // namespace medurwkv::train
