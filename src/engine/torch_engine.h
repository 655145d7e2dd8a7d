// Runs a network with LibTorch behind the interface that predict and evaluate know. Relies on
// core/engine.h, engine/memory.h and torch/torch_ops.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/model_description.h"
#include "engine/memory.h"
#include "net/config.h"
#include "torch/parameter_store.h"

namespace medurwkv::engine {

/// "cpu", "cuda" or "auto" (CUDA where LibTorch has a device). Throws Error for cuda without one.
at::Device device_from(const std::string& name);

/// Reads as torch_backend::read_into does. Throws Error naming the file where one of the tensors
/// holds a NaN or an infinity: max(0, .) would hide it.
std::string read_finite(const weights::WeightsSource& file,
                        const torch_backend::Destinations& destinations);

class TorchEngine : public Engine {
 public:
  /// Runs `store` in evaluation mode; the store must outlive the engine and may change meanwhile.
  TorchEngine(const net::NetworkConfig& config, const torch_backend::ParameterStore& store,
              ModelDescription description);

  [[nodiscard]] const ModelDescription& description() const override { return description_; }
  [[nodiscard]] std::int64_t memory(const BatchShape& shape) const override;
  void run(const BatchShape& shape, std::span<const float> input, std::span<float> logits) override;

 protected:
  [[nodiscard]] PredictionQuestion question(const BatchShape& shape) const;

 private:
  net::NetworkConfig config_;
  const torch_backend::ParameterStore& store_;
  ModelDescription description_;
};

/// A model file with its weights. Throws Error naming the file.
std::unique_ptr<Engine> open_model(const std::filesystem::path& path, const at::Device& device);

}  // namespace medurwkv::engine
