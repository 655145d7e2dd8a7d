// What a segmentation minimises: the loss of the logits and, with deep supervision, of heads on the
// decoder's stages. A batch's targets are its labels, int64, batch x height x width, and where the
// loader made them the distances of the boundary loss (LossOptions::distances). Relies on
// train/segmentation/loss.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/config.h"
#include "train/run/config.h"
#include "train/segmentation/loss.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// The loss as the configuration says it for a set of `classes`.
LossOptions loss_options(const Config& config, std::int64_t classes);

class SegmentationObjective : public Objective {
 public:
  SegmentationObjective(const net::NetworkConfig& network, LossOptions options,
                        bool deep_supervision);
  /// As the configuration says it.
  SegmentationObjective(const Config& config, const net::NetworkConfig& network,
                        std::int64_t classes)
      : SegmentationObjective(network, loss_options(config, classes),
                              config.loss.deep_supervision) {}

  [[nodiscard]] std::vector<net::ParameterSpec> own_parameters() const override;
  [[nodiscard]] Loss loss(const torch_backend::ParameterStore& store,
                          const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                          const Gather& gather) const override;

 private:
  net::NetworkConfig network_;
  LossOptions options_;
  bool deep_supervision_;
};

}  // namespace medurwkv::train
