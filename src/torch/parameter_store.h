// The tensors of a network by name: made by rule, read from and written to files. Relies on
// LibTorch's ATen, net and weights.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/parameters.h"
#include "weights/tensor_file.h"

namespace medurwkv::torch_backend {

class ParameterStore {
 public:
  /// All tensors of `specs` with their start values for `seed`.
  ParameterStore(std::vector<net::ParameterSpec> specs, std::uint64_t seed, at::ScalarType type,
                 at::Device device);

  [[nodiscard]] const std::vector<net::ParameterSpec>& specs() const { return specs_; }
  /// Throws an internal Error for an unknown name.
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  [[nodiscard]] at::ScalarType type() const { return type_; }
  [[nodiscard]] at::Device device() const { return device_; }

  /// Overwrites `name` with `values` (row-major).
  void set(const std::string& name, const std::vector<double>& values);

  /// Overwrites every tensor from `file`, under `prefix` + its name. Throws Error naming the first
  /// tensor that is missing or of another shape.
  void load(const weights::TensorFile& file, const std::string& prefix = "");

  /// Views of all tensors as float32 (counters int64) on the CPU; `keep_alive` owns what had to be
  /// copied.
  [[nodiscard]] std::vector<weights::TensorView> views(std::vector<at::Tensor>& keep_alive,
                                                       const std::string& prefix = "") const;

 private:
  std::vector<net::ParameterSpec> specs_;
  std::unordered_map<std::string, at::Tensor> tensors_;
  at::ScalarType type_;
  at::Device device_;
};

/// A contiguous CPU tensor's bytes under `name`; `tensor` must outlive the view.
weights::TensorView view_of(const std::string& name, const at::Tensor& tensor);

}  // namespace medurwkv::torch_backend
