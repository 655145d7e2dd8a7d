// Several runs of one configuration: over the folds of a split, over seeds, or both, one folder
// each. Relies on train/trainer.h,
// library/results.h and data/split/split.h.
#pragma once

#include "library/results.h"
#include "train/trainer.h"

namespace medurwkv::train {

/// Runs what `given.folds` and `given.seeds` name, one after the other, in the subfolders
/// foldK, seedS or foldK/seedS of given.out; a single run goes into given.out itself. With
/// `resume`, runs that have ended are left alone, begun ones go on, the others start.
/// given.max_minutes holds for all of them together. series.json in given.out lists what has
/// ended. Throws Error and Stopped as train().
library::TrainResult train_series(const TrainRequest& given, Listener& listener);

}  // namespace medurwkv::train
