// One training run, from a folder of images to best.model. Relies on everything below it but cli.
#pragma once

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::train {

using library::TrainRequest;

/// Predicts the memory of the run (train/task/memory.h) and refuses what does not fit; then trains
/// until the last epoch, max_minutes or the listener (then throws Stopped after saving).
/// best.model is opened before it is named. Of several runs (train/series.h) it is one. Throws
/// Error.
library::RunResult train(const TrainRequest& request, Listener& listener);

}  // namespace medurwkv::train
