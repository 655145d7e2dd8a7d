// Several runs of one configuration: over the folds of a split, over seeds, or both, one folder
// each. Relies on train/trainer.h and data/split/split.h.
#pragma once

#include <nlohmann/json.hpp>

#include "train/trainer.h"

namespace medurwkv::train {

/// Runs what `given.folds` and `given.seeds` name, one after the other, in the subfolders
/// foldK, seedS or foldK/seedS of given.out; a single run goes into given.out itself. With
/// `resume`, runs that have ended are left alone, begun ones go on, the others start.
/// given.max_minutes holds for all of them together. series.json in given.out lists what has
/// ended. Returns a run's summary (train()), or {"run", "runs": [...], "validation_dice": {"mean",
/// "deviation", "runs"}}. Throws Error and Stopped as train().
nlohmann::json train_series(const TrainRequest& given, Listener& listener);

}  // namespace medurwkv::train
