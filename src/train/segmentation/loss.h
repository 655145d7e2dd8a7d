// Losses of segmentation. Every one is a function of sums over pixels, and all sums of a batch go
// through LossOptions::gather: where several processes share a batch, that is the one place where
// they add them up, so that a loss is that of the whole batch. Relies on ATen and
// train/task/objective.h.
#pragma once

#include "torch/aten.h"

#include <array>
#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "core/regions.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// The parts of the loss, in the order in which they are listed everywhere.
inline constexpr std::array<const char*, 5> loss_names{"cross_entropy", "dice_loss", "focal_loss",
                                                       "tversky_loss", "boundary_loss"};
using LossParts = std::array<double, loss_names.size()>;

struct LossOptions {
  LossParts weights{1, 1, 0, 0, 0};        ///< of the parts in the sum; 0: not computed
  double smooth = 1e-5;                    ///< added above and below in Dice and Tversky
  std::int64_t ignore_label = 255;         ///< pixels that take part in nothing
  std::vector<double> class_weights = {};  ///< of cross-entropy and focal; empty = all 1
  double focal_gamma = 2;
  double tversky_alpha = 0.3;  ///< weight of false positives
  double tversky_beta = 0.7;   ///< weight of false negatives
  /// Where there are any, each output is a sigmoid of its own and each region's truth is that of
  /// its classes; all of them count as foreground, with the weight of the class they stand for.
  Regions regions = {};
  /// Of the boundary loss, batch x planes x height x width as signed_distances gives them
  /// (distances.h); undefined: computed from the labels.
  at::Tensor distances = {};
  /// Sums over this process's part of the batch to those over all of it, with gradient.
  Gather gather = [](const at::Tensor& sums) { return sums; };
};

// `logits`: batch x outputs x height x width; `labels`: int64, batch x height x width. Every loss
// is 0 where no pixel counts.

/// sum(w l) / sum(w) over counted pixels, w the class weights (1 without); l = -log p of the truth,
/// for regions the binary cross-entropy of each.
at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options);

/// 1 - (2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth), over all pixels of the batch,
/// mean over foreground classes.
at::Tensor dice_loss(const at::Tensor& logits, const at::Tensor& labels,
                     const LossOptions& options);

/// As cross_entropy with l (1 - p)^gamma in the place of l. Source: Lin et al., Focal Loss for
/// Dense Object Detection, 2017.
at::Tensor focal_loss(const at::Tensor& logits, const at::Tensor& labels,
                      const LossOptions& options);

/// 1 - (sum(p g) + smooth) / (sum(p g) + alpha sum(p (1 - g)) + beta sum((1 - p) g) + smooth) over
/// the batch, mean over foreground classes. Source: Salehi et al., Tversky loss function for image
/// segmentation, 2017.
at::Tensor tversky_loss(const at::Tensor& logits, const at::Tensor& labels,
                        const LossOptions& options);

/// Mean over counted pixels and foreground classes of p times the signed distance in pixels to the
/// class's border in the truth (distances.h). Not bounded below: an addition to others, with a
/// small weight.
at::Tensor boundary_loss(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options);

/// The weighted sum and its parts, those of weight 0 undefined.
Loss segmentation_loss(const at::Tensor& logits, const at::Tensor& labels,
                       const LossOptions& options);

}  // namespace medurwkv::train
