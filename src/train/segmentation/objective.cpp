#include "train/segmentation/objective.h"

#include <utility>

#include "core/text.h"

namespace medurwkv::train {
namespace {

using net::Grid;
using net::ParameterSpec;
using torch_backend::ParameterStore;

/// Heads of deep supervision stand on the decoder's stages at strides 16 and 8. Their weights in
/// the loss halve from stage to stage. Source: nnU-Net (Isensee et al. 2021).
constexpr std::size_t supervised_stages = 2;

std::string head_name(std::size_t stage, const char* leaf) {
  return concat("deep_supervision.", stage, ".", leaf);
}

std::int64_t padded(std::int64_t side) {
  return (side + 31) / 32 * 32;
}

at::Tensor stage_logits(const ParameterStore& store, const at::Tensor& tokens, std::size_t stage,
                        const at::Tensor& labels) {
  const std::int64_t stride = 16 >> stage;
  const Grid grid{padded(labels.size(1)) / stride, padded(labels.size(2)) / stride};
  const at::Tensor logits =
      at::linear(tokens, store.at(head_name(stage, "weight")), store.at(head_name(stage, "bias")));
  return torch_backend::TorchOps::to_map(logits, grid);
}

}  // namespace

LossOptions loss_options(const Config& config, std::int64_t classes) {
  const Config::Loss& loss = config.loss;
  return {.weights = {loss.cross_entropy, loss.dice, loss.focal, loss.tversky, loss.boundary},
          .class_weights = loss.class_weights,
          .focal_gamma = loss.focal_gamma,
          .tversky_alpha = loss.tversky_alpha,
          .tversky_beta = loss.tversky_beta,
          .regions = regions_of(config, classes)};
}

SegmentationObjective::SegmentationObjective(const net::NetworkConfig& network, LossOptions options,
                                             bool deep_supervision)
    : network_(network), options_(std::move(options)), deep_supervision_(deep_supervision) {}

std::vector<ParameterSpec> SegmentationObjective::own_parameters() const {
  std::vector<ParameterSpec> out;
  if (!deep_supervision_) return out;
  for (std::size_t stage = 0; stage < supervised_stages; ++stage) {
    out.push_back({.name = head_name(stage, "weight"),
                   .shape = {network_.classes, network_.encoder.width >> stage},
                   .init = net::Init::linear_normal});
    out.push_back({.name = head_name(stage, "bias"), .shape = {network_.classes}});
  }
  return out;
}

Loss SegmentationObjective::loss(const ParameterStore& store,
                                 const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                                 const Gather& gather) const {
  const at::Tensor& labels = batch.targets.front();
  LossOptions options = options_;
  options.gather = gather;
  if (batch.targets.size() > 1) options.distances = batch.targets[1];
  Loss loss = segmentation_loss(output.logits, labels, options);
  if (!deep_supervision_) return loss;
  // The label in the middle of each token's pixels; beyond the image nothing counts.
  const std::int64_t height = labels.size(1);
  const std::int64_t width = labels.size(2);
  const at::Tensor whole = at::constant_pad_nd(
      labels, {0, padded(width) - width, 0, padded(height) - height}, options.ignore_label);
  options.distances = at::Tensor();
  double weight = 1;
  double sum = 1;
  for (std::size_t up = 0; up < supervised_stages; ++up) {
    const std::size_t stage = supervised_stages - 1 - up;
    const std::int64_t stride = 16 >> stage;
    const at::Tensor coarse = whole.slice(1, stride / 2, c10::nullopt, stride)
                                  .slice(2, stride / 2, c10::nullopt, stride)
                                  .contiguous();
    weight /= 2;
    sum += weight;
    const Loss of_stage = segmentation_loss(
        stage_logits(store, output.decoder[stage], stage, labels), coarse, options);
    loss.total = loss.total + weight * of_stage.total;
  }
  loss.total = loss.total / sum;
  return loss;
}

}  // namespace medurwkv::train
