// Opens the training library when a command needs it, and wraps its C interface. Relies on
// library/requests.h and core.
#pragma once

#include <memory>

#include <nlohmann/json.hpp>

#include "core/engine.h"
#include "core/listener.h"
#include "library/requests.h"

namespace medurwkv::app {

/// True when the library lies beside the program (or where MEDURWKV_TRAINING_LIBRARY points).
bool has_training_library();

/// LibTorch's version, devices and speed, as the library describes them.
nlohmann::json describe_training_library();

/// Runs a training. Returns the run's summary, or that of a series. Throws Error or Stopped.
nlohmann::json train(const library::TrainRequest& request, Listener& listener);

/// Writes maps and logits. Returns what was written. Throws Error or Stopped.
nlohmann::json features(const library::FeaturesRequest& request, Listener& listener);

/// Measures time and memory of a network; the figures (train/bench.h). Throws Error or Stopped.
nlohmann::json bench(const library::BenchRequest& request, Listener& listener);

/// A model file, ready to run.
std::unique_ptr<Engine> open_engine(const library::EngineRequest& request);

}  // namespace medurwkv::app
