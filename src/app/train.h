// `train`: a training run, or a series of them, made with the training library. Relies on
// library/requests.h.
#pragma once

#include <nlohmann/json.hpp>

#include "core/listener.h"
#include "library/requests.h"

namespace medurwkv::app {

/// Throws a usage Error where processes that train together would make a series of runs.
void refuse_series_of_ranks(const library::TrainRequest& request);

/// Refuses what can be refused without LibTorch, and fills in the split of a run that is resumed;
/// then trains. Returns the run's summary {"run", "model", "curves", "epochs", "best_epoch",
/// "best_validation_dice", "ended", "seconds", ...}, or that of a series {"run", "runs",
/// "validation_dice"}. Throws Error, and Stopped.
nlohmann::json train_network(library::TrainRequest request, Listener& listener);

}  // namespace medurwkv::app
