// What a training minimises: the forward pass of a batch and its loss. Relies on torch.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "net/config.h"
#include "net/med_urwkv.h"
#include "torch/parameter_store.h"
#include "torch/torch_ops.h"

namespace medurwkv::train {

struct Batch {
  at::Tensor images;                ///< batch x channels x height x width
  std::vector<at::Tensor> targets;  ///< what the loss compares with; each task has its own
  std::vector<std::string> ids;
  std::int64_t first = 0;  ///< position in the whole batch of the first image
  bool counts = true;      ///< false: the image stands in (data/feed/batch_loader.h)
};

struct Loss {
  at::Tensor total;
  std::vector<at::Tensor> parts;  ///< in the order of Columns::parts; undefined: not computed
};

/// Sums over this process's part of a batch to those over all of it, with gradient.
using Gather = std::function<at::Tensor(const at::Tensor&)>;

class Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  Objective(Objective&&) = delete;
  Objective& operator=(Objective&&) = delete;
  virtual ~Objective() = default;

  /// Tensors beside the network's that only training has. Model files leave them out, checkpoints
  /// keep them.
  [[nodiscard]] virtual std::vector<net::ParameterSpec> own_parameters() const { return {}; }

  /// The batch's tensors are on the device of `store`.
  [[nodiscard]] virtual net::NetworkOutput<at::Tensor> forward(
      const net::NetworkConfig& network, const torch_backend::ParameterStore& store,
      const torch_backend::RunMode& mode, const Batch& batch) const {
    return torch_backend::run_network(network, store, mode, batch.images);
  }

  /// The loss of the whole batch, of which this process holds a part: all sums over samples go
  /// through `gather`.
  [[nodiscard]] virtual Loss loss(const torch_backend::ParameterStore& store,
                                  const net::NetworkOutput<at::Tensor>& output, const Batch& batch,
                                  const Gather& gather) const = 0;
};

}  // namespace medurwkv::train
