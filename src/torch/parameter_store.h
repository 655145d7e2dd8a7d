// The tensors of a network by name: made by rule, read from and written to files. Relies on
// LibTorch's ATen, net and weights.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/parameters.h"
#include "weights/tensor_file.h"
#include "weights/weights_source.h"

namespace medurwkv::torch_backend {

/// Tensors to be filled from a file, by the names that they have in it.
using Destinations = std::unordered_map<std::string, at::Tensor>;

/// Reads `file` once, straight into `destinations`, each converted to its own type and device.
/// Returns content_sha256 of the file. Throws Error naming the file when it is damaged; the tensors
/// must not be used then. A destination has as many elements as its tensor in the file.
/// `not_finite`, where given, gets the number of each one's values that are NaN or infinite.
std::string read_into(const weights::WeightsSource& file, const Destinations& destinations,
                      std::unordered_map<std::string, std::int64_t>* not_finite = nullptr);

class ParameterStore {
 public:
  /// All tensors of `specs` with their start values for `seed`. Without a seed they have no values
  /// yet and are to be filled, all but the counters, which are 0.
  ParameterStore(std::vector<net::ParameterSpec> specs, std::optional<std::uint64_t> seed,
                 at::ScalarType type, at::Device device);

  [[nodiscard]] const std::vector<net::ParameterSpec>& specs() const { return specs_; }
  /// Throws an internal Error for an unknown name.
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  [[nodiscard]] at::ScalarType type() const { return type_; }
  [[nodiscard]] at::Device device() const { return device_; }

  /// Gives `name` its start values for `seed`.
  void start(const std::string& name, std::uint64_t seed) const;
  /// Overwrites `name` with `values` (row-major).
  void set(const std::string& name, const std::vector<double>& values);

  /// Every tensor, under `prefix` + its name. Throws Error naming the first that `file` lacks or
  /// has in another shape.
  [[nodiscard]] Destinations destinations(const weights::TensorIndex& file,
                                          const std::string& prefix = "") const;

  /// Views of all tensors as float32 (counters int64) on the CPU; `keep_alive` owns what had to be
  /// copied.
  [[nodiscard]] std::vector<weights::TensorView> views(std::vector<at::Tensor>& keep_alive,
                                                       const std::string& prefix = "") const;

 private:
  void start(const net::ParameterSpec& spec, std::uint64_t seed) const;

  std::vector<net::ParameterSpec> specs_;
  std::unordered_map<std::string, at::Tensor> tensors_;
  at::ScalarType type_;
  at::Device device_;
};

/// A contiguous CPU tensor's bytes under `name`; `tensor` must outlive the view.
weights::TensorView view_of(const std::string& name, const at::Tensor& tensor);

}  // namespace medurwkv::torch_backend
