// Files of weights as others write them: the tensors of a network by the fill rule, under names of
// the test's choice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/files.h"
#include "net/config.h"
#include "plan/plan.h"
#include "support/fill_rule.h"
#include "weights/tensor_file.h"

namespace medurwkv::test {

/// Tensors to be written, with their values.
class WeightFile {
 public:
  using Rename = std::function<std::string(const std::string&)>;

  /// Adds every tensor of `network` by the fill rule of its own name, under `rename`d names (left
  /// out where that is empty).
  WeightFile& add(const net::NetworkConfig& network, const Rename& rename) {
    for (const net::ParameterSpec& spec : plan::parameters_of(network)) {
      const std::string name = rename(spec.name);
      if (name.empty()) continue;
      if (spec.integer) {
        add_count(name);
      } else {
        add(name, spec.shape, fill_values(spec.name, spec.shape));
      }
    }
    return *this;
  }
  WeightFile& add(const net::NetworkConfig& network, const std::string& prefix = "") {
    return add(network, [&](const std::string& name) { return prefix + name; });
  }
  WeightFile& add(const std::string& name, const Shape& shape, const std::vector<double>& values) {
    std::vector<float> floats(values.begin(), values.end());
    bytes_.emplace_back(as_text(std::span<const float>(floats)));
    tensors_.push_back({.name = name, .type = weights::DType::f32, .shape = shape, .data = {}});
    return *this;
  }
  WeightFile& add_count(const std::string& name) {
    bytes_.emplace_back(sizeof(std::int64_t), '\0');
    tensors_.push_back({.name = name, .type = weights::DType::i64, .shape = {}, .data = {}});
    return *this;
  }
  WeightFile& remove(const std::string& name) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].name != name) continue;
      tensors_.erase(tensors_.begin() + static_cast<std::ptrdiff_t>(i));
      bytes_.erase(bytes_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
    return *this;
  }
  /// In the order of adding.
  void write(const std::filesystem::path& path, const weights::Metadata& metadata = {}) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].data = bytes_[i];
    weights::write_tensor_file(path, tensors_, metadata);
  }
  [[nodiscard]] std::size_t size() const { return tensors_.size(); }

 private:
  std::vector<weights::TensorView> tensors_;
  std::vector<std::string> bytes_;
};

}  // namespace medurwkv::test
