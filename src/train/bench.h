// `medurwkv bench` in the training library: what a prediction and a training step of a network take
// in time and memory on this processor, beside the machine's limits. Relies on train/learner.h,
// train/task/memory.h, engine/torch_engine.h and measure.
#pragma once

#include <nlohmann/json.hpp>

#include "core/listener.h"
#include "library/requests.h"

namespace medurwkv::train {

/// {"network", "batch", "threads", "rounds", "sizes": [{"width", "height", "limits", "prediction",
/// "training_step"}]}. "limits" are those of MachineLoops::describe. A prediction of one image is
/// timed as `predict` runs the network, a step as `train` does, without reading images; both have
/// the fields of measure::figures and "images_per_second", "expected_memory_bytes" and
/// "peak_memory_bytes" (of the whole process). Throws Error, naming the size where it does not fit
/// into memory, or Stopped.
nlohmann::json run_bench(const library::BenchRequest& request, Listener& listener);

}  // namespace medurwkv::train
