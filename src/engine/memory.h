// The memory that running a network takes, before it takes it. Relies on plan/plan.h and
// core/memory.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <string>

#include "data/image/image.h"
#include "net/config.h"

namespace medurwkv::engine {

/// A prediction of images at `size`.
struct PredictionQuestion {
  const net::NetworkConfig& network;
  data::ImageSize size;
  std::int64_t images = 1;
  std::int64_t number_bytes = 4;  ///< of a weight and of an activation
  bool loaded = false;            ///< the weights are in memory
  at::Device device = at::kCPU;
};

/// Bytes on the CPU: activations and, where they are not loaded yet, weights.
std::int64_t prediction_memory(const PredictionQuestion& question);

/// Throws Error naming `file`, the model's, when weights and activations take more memory than is
/// left (core/memory.h). On CUDA the network is not counted.
void check_prediction_memory(const std::string& file, const PredictionQuestion& question);

}  // namespace medurwkv::engine
