// Opens the training library when a command needs it, and wraps its C interface. Relies on
// library/requests.h, library/results.h and core.
#pragma once

#include <memory>

#include "core/engine.h"
#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

/// True when the library lies beside the program (or where MEDURWKV_TRAINING_LIBRARY points).
bool has_training_library();

/// LibTorch as the library finds it.
library::LibraryDescription describe_training_library();

// Each throws Error, or Stopped.

/// Makes a training run or a series of them.
library::TrainResult train(const library::TrainRequest& request, Listener& listener);

/// Writes maps and logits.
library::FeaturesResult features(const library::FeaturesRequest& request, Listener& listener);

/// Measures time and memory of a network.
library::BenchResult bench(const library::BenchRequest& request, Listener& listener);

/// A model file, ready to run.
std::unique_ptr<Engine> open_engine(const library::EngineRequest& request);

}  // namespace medurwkv::app
