#include "train/loss.h"

namespace medurwkv::train {

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options) {
  c10::optional<at::Tensor> weights;
  if (!options.class_weights.empty()) weights = at::tensor(options.class_weights, logits.options());
  return at::nll_loss2d(at::log_softmax(logits, 1), labels, weights, at::Reduction::Mean,
                        options.ignore_label);
}

at::Tensor dice_loss(const at::Tensor& logits, const at::Tensor& labels,
                     const LossOptions& options) {
  const at::Tensor counted = labels.ne(options.ignore_label);
  const at::Tensor mask = counted.unsqueeze(1).to(logits.scalar_type());
  const at::Tensor probabilities = at::softmax(logits, 1) * mask;
  const at::Tensor known = labels.masked_fill(counted.logical_not(), 0);
  const at::Tensor truth =
      at::one_hot(known, logits.size(1)).permute({0, 3, 1, 2}).to(logits.scalar_type()) * mask;
  const std::vector<std::int64_t> sides = options.pool == DicePool::batch
                                              ? std::vector<std::int64_t>{0, 2, 3}
                                              : std::vector<std::int64_t>{2, 3};
  const at::Tensor overlap = (probabilities * truth).sum(sides);
  const at::Tensor area = probabilities.sum(sides) + truth.sum(sides);
  const at::Tensor dice = 1 - (2 * overlap + options.smooth) / (area + options.smooth);
  const std::int64_t first = options.dice_background ? 0 : 1;
  return dice.narrow(-1, first, dice.size(-1) - first).mean();
}

Loss segmentation_loss(const at::Tensor& logits, const at::Tensor& labels,
                       const LossOptions& options) {
  Loss out;
  out.cross_entropy = cross_entropy(logits, labels, options);
  out.dice = dice_loss(logits, labels, options);
  out.total = options.cross_entropy_weight * out.cross_entropy + options.dice_weight * out.dice;
  return out;
}

}  // namespace medurwkv::train
