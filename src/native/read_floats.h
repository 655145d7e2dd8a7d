// A file's tensors as the native engine wants them. Relies on weights/weights_source.h.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/memory.h"
#include "net/parameters.h"
#include "weights/weights_source.h"

namespace medurwkv::native {

/// The values of a parameter, row-major.
using ReadParameter = std::function<std::vector<float>(const net::ParameterSpec& spec)>;

/// A network's tensors by their names, row-major, without those of integers. Whoever they are given
/// to may overwrite them.
class Tensors {
 public:
  Tensors() = default;
  /// Room without values.
  explicit Tensors(const std::vector<net::ParameterSpec>& specs);
  Tensors(const std::vector<net::ParameterSpec>& specs, const ReadParameter& read);

  [[nodiscard]] std::span<float> at(const std::string& name) const { return places_.at(name); }
  [[nodiscard]] bool empty() const { return places_.empty(); }

 private:
  Memory memory_;
  std::unordered_map<std::string, std::span<float>> places_;
};

struct ReadTensors {
  Tensors tensors;
  std::string content;  ///< content_sha256 of what was read
};

/// The name in the file of a network's tensor.
using SourceOf = std::function<std::string(const std::string& name)>;

/// The tensors that `specs` names; without `source_of` the file has them under the same names.
/// Throws Error naming the file where one has another shape or holds a NaN or an infinity (a ReLU
/// would hide it), and where the file is damaged.
ReadTensors read_floats(const weights::WeightsSource& file,
                        const std::vector<net::ParameterSpec>& specs,
                        const SourceOf& source_of = {});

/// Bytes of them.
std::int64_t float_bytes(const std::vector<net::ParameterSpec>& specs);

}  // namespace medurwkv::native
