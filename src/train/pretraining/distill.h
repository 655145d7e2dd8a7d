// What distillation minimises: the difference between a teacher's maps and linear maps of the
// adapter's. A batch's targets: the teacher's outputs, float, batch x channels x height x width or
// batch x channels. Relies on train/task/objective.h.
#pragma once

#include <string>
#include <vector>

#include "core/shape.h"
#include "net/config.h"
#include "train/task/objective.h"

namespace medurwkv::train {

struct DistillOptions {
  bool cosine = false;          ///< else smooth L1
  std::vector<double> weights;  ///< of the outputs
};

class DistillObjective : public Objective {
 public:
  /// `outputs`: of the teacher, {channels, height, width} or {channels}. `height` and `width` are
  /// those of the network's input. Throws a usage Error where the weights are not as many.
  DistillObjective(const net::NetworkConfig& network, std::int64_t height, std::int64_t width,
                   std::vector<Shape> outputs, DistillOptions options);

  /// distill.K: a linear map from the adapter's width to the channels of output K.
  [[nodiscard]] std::vector<net::ParameterSpec> own_parameters() const override;

  /// The weighted mean over the outputs. Each target is normalised per channel over the batch and
  /// its places: (t - mean) / sqrt(variance + 1e-5). The adapter's map whose grid is nearest in
  /// size is mapped linearly and resized (bilinearly, without aligned corners) to the target's
  /// grid; a vector is compared with the mean of the coarsest map. smooth L1 (beta 1) is the mean
  /// over all numbers; cosine is the mean over places of 1 - cos of the channels.
  [[nodiscard]] Loss loss(const torch_backend::ParameterStore& store,
                          const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                          const Gather& gather) const override;

  /// Which of f1..f4 (0 to 3) output K is learned by.
  [[nodiscard]] std::size_t map_of(std::size_t output) const { return maps_.at(output); }

 private:
  std::int64_t width_;
  std::vector<Shape> outputs_;
  std::vector<std::size_t> maps_;
  DistillOptions options_;
};

}  // namespace medurwkv::train
