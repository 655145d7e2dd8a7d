#include "torch/torch_ops.h"

#include <c10/core/MemoryFormat.h>

namespace medurwkv::torch_backend {

static_assert(net::Ops<TorchOps>);

net::NetworkOutput<at::Tensor> run_network(const net::NetworkConfig& config,
                                           const ParameterStore& store, const RunMode& mode,
                                           const at::Tensor& image) {
  TorchOps ops(store, mode);
  return net::network(ops, config, image.contiguous(at::MemoryFormat::ChannelsLast));
}

}  // namespace medurwkv::torch_backend
