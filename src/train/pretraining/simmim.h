// What masked image modelling minimises. A batch's targets: the mask (float, batch x 1 x height x
// width, 1 where the network does not see the picture). Source: SimMIM (Xie et al. 2022). Relies on
// train/task/objective.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "net/config.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// The mask of a picture, rows of its grid of patches: of `patches` the nearest whole number to
/// `ratio` times their number, drawn by `random`, are 1.
std::vector<float> drawn_mask(std::int64_t patches, double ratio, const Random& random);

/// SimMIM's mask token stands in the place of a masked patch's embedding. Here it is a learned
/// patch of pixels in the place of the masked ones, so that the spatial prior, which sees the
/// picture itself, does not see them either; the embedding of that patch is the trunk's token.
class SimmimObjective : public Objective {
 public:
  explicit SimmimObjective(const net::NetworkConfig& network);

  /// simmim.patch (1 x channels x 16 x 16), and for each map f1..f4 of stride s a linear map
  /// simmim.head.K to channels s^2 values, the pixels below its place.
  [[nodiscard]] std::vector<net::ParameterSpec> own_parameters() const override;
  [[nodiscard]] net::NetworkOutput<at::Tensor> forward(const net::NetworkConfig& network,
                                                       const torch_backend::ParameterStore& store,
                                                       const torch_backend::RunMode& mode,
                                                       const Batch& batch) const override;
  /// The mean over masked pixels and channels of |picture - rebuilt|, both normalised.
  [[nodiscard]] Loss loss(const torch_backend::ParameterStore& store,
                          const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                          const Gather& gather) const override;

  /// The pictures with the learned patch in the place of what is masked.
  [[nodiscard]] at::Tensor masked(const torch_backend::ParameterStore& store,
                                  const at::Tensor& images, const at::Tensor& mask) const;
  /// The sum of what the four maps give: batch x channels x height x width.
  [[nodiscard]] at::Tensor rebuilt(const torch_backend::ParameterStore& store,
                                   const net::NetworkOutput<at::Tensor>& output) const;

 private:
  std::int64_t width_, channels_;
};

}  // namespace medurwkv::train
