// Several runs of one configuration: over the folds of a split, over seeds, or both, one folder
// each. Relies on train/trainer.h and data/split.h.
#pragma once

#include <nlohmann/json.hpp>

#include "train/trainer.h"

namespace medurwkv::train {

/// Runs what `request.folds` and `request.seeds` name, one after the other, in the subfolders
/// foldK, seedS or foldK/seedS of request.out; a single run goes into request.out itself. With
/// `resume`, runs that have ended are left alone, begun ones go on, the others start.
/// request.max_minutes holds for all of them together. series.json in request.out lists what has
/// ended. Returns a run's summary (train()), or {"run", "runs": [...], "validation_dice": {"mean",
/// "deviation", "runs"}}. Throws Error and Stopped as train().
nlohmann::json train_series(const TrainRequest& request, const TrainListener& listener);

}  // namespace medurwkv::train
