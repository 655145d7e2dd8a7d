#include "train/segmentation/loss.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model_description.h"
#include "train/segmentation/distances.h"

namespace medurwkv::train {
namespace {

/// What the losses know of a batch.
struct Pixels {
  at::Tensor counted;  ///< batch x 1 x height x width, 1 or 0, of the logits' type
  at::Tensor known;    ///< labels, 0 where not counted
  at::Tensor truth;    ///< batch x outputs x height x width, 0 where not counted
};

/// Row c: which regions class c is in.
at::Tensor membership(const Regions& regions, const at::TensorOptions& options) {
  const auto count = static_cast<std::int64_t>(regions.size());
  std::vector<double> table(static_cast<std::size_t>((count + 1) * count), 0);
  for (std::size_t i = 0; i < regions.size(); ++i) {
    for (const std::int64_t c : regions[i]) table[static_cast<std::size_t>(c * count) + i] = 1;
  }
  return at::tensor(table, at::kDouble).reshape({count + 1, count}).to(options);
}

Pixels pixels_of(const at::Tensor& logits, const at::Tensor& labels, const LossOptions& options) {
  const at::Tensor counted = labels.ne(options.ignore_label);
  Pixels out;
  out.counted = counted.unsqueeze(1).to(logits.scalar_type());
  out.known = labels.masked_fill(counted.logical_not(), 0);
  const at::Tensor planes =
      options.regions.empty()
          ? at::one_hot(out.known, logits.size(1)).to(logits.scalar_type())
          : at::embedding(membership(options.regions, logits.options().requires_grad(false)),
                          out.known);
  out.truth = planes.permute({0, 3, 1, 2}) * out.counted;
  return out;
}

/// Probabilities, 0 where not counted.
at::Tensor probabilities_of(const at::Tensor& logits, const Pixels& pixels,
                            const LossOptions& options) {
  return (options.regions.empty() ? at::softmax(logits, 1) : at::sigmoid(logits)) * pixels.counted;
}

/// The outputs that count as foreground, along `dim`.
at::Tensor foreground(const at::Tensor& planes, std::int64_t dim, const LossOptions& options) {
  const std::int64_t first = options.regions.empty() ? 1 : 0;
  return planes.narrow(dim, first, planes.size(dim) - first);
}

/// What a Dice or Tversky is summed over: every pixel of the batch.
const std::vector<std::int64_t> batch_and_sides{0, 2, 3};

/// Weights of the outputs, 1 x outputs x 1 x 1.
at::Tensor output_weights(const at::Tensor& logits, const LossOptions& options) {
  const at::TensorOptions type = logits.options().requires_grad(false);
  if (options.class_weights.empty()) return at::ones({1, logits.size(1), 1, 1}, type);
  at::Tensor weights = at::tensor(options.class_weights, at::kDouble).to(type);
  if (!options.regions.empty()) weights = weights.narrow(0, 1, weights.size(0) - 1);
  return weights.reshape({1, logits.size(1), 1, 1});
}

/// sum(losses) / sum(weights), 0 where nothing counts.
at::Tensor weighted_mean(const at::Tensor& losses, const at::Tensor& weights,
                         const LossOptions& options) {
  const at::Tensor sums = options.gather(at::stack({losses.sum(), weights.sum()}));
  return sums[0] / sums[1].clamp_min(1e-12);
}

at::Tensor cross_entropy(const at::Tensor& logits, const Pixels& pixels, const at::Tensor& labels,
                         const LossOptions& options) {
  const at::Tensor weights = output_weights(logits, options);
  if (!options.regions.empty()) {
    const at::Tensor losses = at::binary_cross_entropy_with_logits(
        logits, pixels.truth, c10::nullopt, c10::nullopt, at::Reduction::None);
    const at::Tensor counted = pixels.counted * weights;
    return weighted_mean(losses * counted, counted, options);
  }
  const at::Tensor loss = at::nll_loss2d(at::log_softmax(logits, 1), labels, weights.flatten(),
                                         at::Reduction::Sum, options.ignore_label);
  const bool equal = options.class_weights.empty();
  return weighted_mean(loss, equal ? pixels.counted : pixels.truth * weights, options);
}

at::Tensor dice_loss(const at::Tensor& probabilities, const Pixels& pixels,
                     const LossOptions& options) {
  const at::Tensor overlap = (probabilities * pixels.truth).sum(batch_and_sides);
  const at::Tensor area = probabilities.sum(batch_and_sides) + pixels.truth.sum(batch_and_sides);
  const at::Tensor sums = options.gather(at::stack({overlap, area}));
  const at::Tensor dice = 1 - (2 * sums[0] + options.smooth) / (sums[1] + options.smooth);
  return foreground(dice, -1, options).mean();
}

at::Tensor focal_loss(const at::Tensor& logits, const Pixels& pixels, const LossOptions& options) {
  const at::Tensor weights = pixels.counted * output_weights(logits, options);
  if (options.regions.empty()) {
    const at::Tensor log_p = at::log_softmax(logits, 1);
    const at::Tensor losses = at::pow(1 - log_p.exp(), options.focal_gamma) * log_p;
    const at::Tensor counted = pixels.truth * weights;
    return weighted_mean(-losses * counted, counted, options);
  }
  // log of the probability of the truth: log sigmoid(z) inside, log sigmoid(-z) outside.
  const at::Tensor log_p = at::log_sigmoid(logits * (2 * pixels.truth - 1));
  const at::Tensor losses = at::pow(1 - log_p.exp(), options.focal_gamma) * log_p;
  return weighted_mean(-losses * weights, weights, options);
}

at::Tensor tversky_loss(const at::Tensor& probabilities, const Pixels& pixels,
                        const LossOptions& options) {
  const at::Tensor sums = options.gather(
      at::stack({(probabilities * pixels.truth).sum(batch_and_sides),
                 probabilities.sum(batch_and_sides), pixels.truth.sum(batch_and_sides)}));
  const at::Tensor& hit = sums[0];
  const at::Tensor index =
      (hit + options.smooth) / (hit + options.tversky_alpha * (sums[1] - hit) +
                                options.tversky_beta * (sums[2] - hit) + options.smooth);
  return foreground(1 - index, -1, options).mean();
}

/// Of labels on the CPU, for outputs without distances of their own.
at::Tensor distance_maps(const at::Tensor& labels, std::int64_t outputs,
                         const LossOptions& options) {
  const at::Tensor bytes = labels.to(at::kCPU, at::kByte).contiguous();
  const std::int64_t classes = options.regions.empty() ? outputs : outputs + 1;
  const data::ImageSize size{bytes.size(2), bytes.size(1)};
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  std::vector<at::Tensor> out;
  for (std::int64_t n = 0; n < bytes.size(0); ++n) {
    const std::uint8_t* first =
        bytes.data_ptr<std::uint8_t>() + static_cast<std::size_t>(n) * pixels;
    out.push_back(
        at::tensor(signed_distances({first, pixels}, size, classes, options.regions), at::kDouble)
            .reshape({-1, size.height, size.width}));
  }
  return at::stack(out);
}

at::Tensor boundary_loss(const at::Tensor& probabilities, const Pixels& pixels,
                         const at::Tensor& labels, const LossOptions& options) {
  const at::Tensor wanted = foreground(probabilities, 1, options);
  const at::Tensor distances =
      (options.distances.defined() ? options.distances
                                   : distance_maps(labels, probabilities.size(1), options))
          .to(wanted.options().requires_grad(false));
  return weighted_mean(wanted * distances, pixels.counted.expand_as(wanted), options);
}

}  // namespace

at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options) {
  return cross_entropy(logits, pixels_of(logits, labels, options), labels, options);
}

at::Tensor dice_loss(const at::Tensor& logits, const at::Tensor& labels,
                     const LossOptions& options) {
  const Pixels pixels = pixels_of(logits, labels, options);
  return dice_loss(probabilities_of(logits, pixels, options), pixels, options);
}

at::Tensor focal_loss(const at::Tensor& logits, const at::Tensor& labels,
                      const LossOptions& options) {
  return focal_loss(logits, pixels_of(logits, labels, options), options);
}

at::Tensor tversky_loss(const at::Tensor& logits, const at::Tensor& labels,
                        const LossOptions& options) {
  const Pixels pixels = pixels_of(logits, labels, options);
  return tversky_loss(probabilities_of(logits, pixels, options), pixels, options);
}

at::Tensor boundary_loss(const at::Tensor& logits, const at::Tensor& labels,
                         const LossOptions& options) {
  const Pixels pixels = pixels_of(logits, labels, options);
  return boundary_loss(probabilities_of(logits, pixels, options), pixels, labels, options);
}

Loss segmentation_loss(const at::Tensor& logits, const at::Tensor& labels,
                       const LossOptions& options) {
  const Pixels pixels = pixels_of(logits, labels, options);
  const auto& weights = options.weights;
  at::Tensor probabilities;
  if (weights[1] > 0 || weights[3] > 0 || weights[4] > 0) {
    probabilities = probabilities_of(logits, pixels, options);
  }
  Loss out{.total = {}, .parts = std::vector<at::Tensor>(weights.size())};
  if (weights[0] > 0) out.parts[0] = cross_entropy(logits, pixels, labels, options);
  if (weights[1] > 0) out.parts[1] = dice_loss(probabilities, pixels, options);
  if (weights[2] > 0) out.parts[2] = focal_loss(logits, pixels, options);
  if (weights[3] > 0) out.parts[3] = tversky_loss(probabilities, pixels, options);
  if (weights[4] > 0) out.parts[4] = boundary_loss(probabilities, pixels, labels, options);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!out.parts[i].defined()) continue;
    const at::Tensor part = weights[i] * out.parts[i];
    out.total = out.total.defined() ? out.total + part : part;
  }
  return out;
}

}  // namespace medurwkv::train
