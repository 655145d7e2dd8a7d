// `train`: a training run, or a series of them, made with the training library. Relies on
// library/requests.h and library/results.h.
#pragma once

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

/// Whether the folder holds a run, or a series of them, that can be resumed.
bool holds_training(const OutputPath& out);

/// Throws a usage Error where processes that train together would make a series of runs.
void refuse_series_of_ranks(const library::TrainRequest& request);

/// Refuses what can be refused without LibTorch, and fills in the split of a run that is resumed;
/// then trains. Throws Error, and Stopped.
library::TrainResult train_network(library::TrainRequest request, Listener& listener);

}  // namespace medurwkv::app
