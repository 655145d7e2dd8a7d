// What the loader of src/data makes, as tensors. Relies on
// data/feed/batch_loader.h and train/task/objective.h.
#pragma once

#include <vector>

#include "core/model_description.h"
#include "data/feed/batch_loader.h"
#include "data/layout/dataset.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// Images and labels (SegmentationObjective's). Takes over the samples' memory.
Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract);

/// Reads `cases` by their number.
data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases);

}  // namespace medurwkv::train
