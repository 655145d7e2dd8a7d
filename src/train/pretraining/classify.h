// What a classifier of images minimises. A batch's target is the probabilities of the classes:
// float, batch x classes. Relies on train/task/objective.h.
#pragma once

#include "net/config.h"
#include "train/task/objective.h"

namespace medurwkv::train {

class ClassifyObjective : public Objective {
 public:
  /// `network` is a classifier, or an encoder, on whose coarsest map a head of `classes` stands.
  ClassifyObjective(const net::NetworkConfig& network, std::int64_t classes);

  [[nodiscard]] std::vector<net::ParameterSpec> own_parameters() const override;
  /// The cross-entropy, mean over the batch: -sum of p log q over the classes.
  [[nodiscard]] Loss loss(const torch_backend::ParameterStore& store,
                          const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                          const Gather& gather) const override;
  /// batch x classes.
  [[nodiscard]] at::Tensor logits(const torch_backend::ParameterStore& store,
                                  const net::NetworkOutput<at::Tensor>& output) const;

 private:
  bool adapter_;
  std::int64_t width_, classes_;
};

}  // namespace medurwkv::train
