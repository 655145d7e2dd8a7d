#include "torch/torch_ops.h"

#include <c10/core/MemoryFormat.h>

#include "kernels/isa.h"

namespace medurwkv::torch_backend {

static_assert(net::Ops<TorchOps>);

bool TorchOps::runs_on(at::Device device) {
  return (device.is_cpu() && kernels::has_kernels(kernels::Device::cpu)) ||
         (device.is_cuda() && kernels::has_kernels(kernels::Device::cuda));
}

net::NetworkOutput<at::Tensor> run_network(const net::NetworkConfig& config,
                                           const ParameterStore& store, const RunMode& mode,
                                           const at::Tensor& image) {
  TorchOps ops(store, mode);
  return net::network(ops, config, image.contiguous(at::MemoryFormat::ChannelsLast));
}

}  // namespace medurwkv::torch_backend
