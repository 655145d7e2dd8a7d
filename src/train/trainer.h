// One training run, from a folder of images to best.model. Relies on everything below it but cli.
#pragma once

#include <nlohmann/json.hpp>

#include "core/listener.h"
#include "library/requests.h"

namespace medurwkv::train {

using library::TrainRequest;

/// Predicts the memory of the run (train/task/memory.h) and refuses what does not fit; then trains
/// until the last epoch, max_minutes or the listener (then throws Stopped after saving). Returns a
/// summary: epochs, best epoch, best validation Dice, files (null where there is none yet), whether
/// it has ended. best.model is opened before it is named. Of several runs
/// (train/series.h) it is one. Throws Error.
nlohmann::json train(const TrainRequest& request, Listener& listener);

}  // namespace medurwkv::train
