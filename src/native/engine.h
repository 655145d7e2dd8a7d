// Runs a network behind the interface that predict and evaluate know, without LibTorch: its plan,
// fused, by oneDNN and our kernels. Relies on core/engine.h, plan and weights.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "core/engine.h"
#include "core/model_description.h"
#include "native/precision.h"
#include "native/read_floats.h"
#include "net/config.h"

namespace medurwkv::native {

struct EngineOptions {
  Precision precision = Precision::float32;
  std::optional<Ranges> ranges = {};  ///< for int8, in place of those in the file
  /// Called after each operation of the fused plan, with its inputs (native/program.h).
  std::function<void(const plan::Plan& fused, const plan::Operation& operation,
                     std::span<const float* const> inputs)>
      watch = {};
};

/// A model file with its weights. Throws Error naming the file, also where int8 is asked for and
/// the file has no ranges.
std::unique_ptr<Engine> open_model(const std::filesystem::path& path,
                                   const EngineOptions& options = {});

/// A network whose weights `read` gives, in float32. They are read once for each size of image.
std::unique_ptr<Engine> engine_of(const net::NetworkConfig& network, ModelDescription description,
                                  ReadParameter read);

}  // namespace medurwkv::native
