// Opens the training library when a command needs it, and wraps its C interface. Relies on
// train/entry.h and core.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "core/engine.h"

namespace medurwkv::cli {

/// True when the library lies beside the program (or where MEDURWKV_TRAINING_LIBRARY points).
bool has_training_library();

/// LibTorch's version, devices and speed, as the library describes them.
nlohmann::json describe_training_library();

/// Runs a training request (train/entry.h) with progress on stderr; returns the run's summary.
/// Throws Error or Stopped.
nlohmann::json run_training(const nlohmann::json& request, bool quiet);

/// Runs a benchmark request (train/entry.h) with lines on stderr; `matrix_product` is called within
/// it. Returns the figures. Throws Error or Stopped.
nlohmann::json run_bench(const nlohmann::json& request, bool quiet,
                         std::function<void()> matrix_product);

/// Runs a features request (train/entry.h); returns what was written. Throws Error or Stopped.
nlohmann::json compute_features(const nlohmann::json& request, bool quiet);

/// A model file, ready to run. `device`: cpu, cuda or auto; `threads`: 0 = all cores.
std::unique_ptr<Engine> open_engine(const std::filesystem::path& model, const std::string& device,
                                    int threads);

}  // namespace medurwkv::cli
