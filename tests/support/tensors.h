// LibTorch tensors to and from plain vectors, for comparing with golden files.
#pragma once

#include "torch/aten.h"

#include <string>
#include <vector>

#include "support/fill_rule.h"
#include "torch/parameter_store.h"
#include "weights/tensor_file.h"

namespace medurwkv::test {

/// Row-major elements.
inline std::vector<double> elements(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

inline at::Tensor tensor_of(const std::vector<double>& values, const Shape& shape,
                            const at::TensorOptions& options) {
  return at::tensor(values, at::kDouble).reshape(shape).to(options);
}

inline at::Tensor golden_tensor(const weights::TensorFile& file, const std::string& name,
                                const at::TensorOptions& options) {
  return tensor_of(file.values(name), file.info(name).shape, options);
}

/// Every tensor of the store by the fill rule.
inline void fill(torch_backend::ParameterStore& store) {
  for (const net::ParameterSpec& spec : store.specs()) {
    store.set(spec.name, fill_values(spec.name, spec.shape));
  }
}

}  // namespace medurwkv::test
