// What the loader of src/data makes for segmentation, and that as tensors. Relies on
// data/feed/augment.h, data/feed/batch_loader.h and train/task/objective.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "data/feed/augment.h"
#include "data/feed/batch_loader.h"
#include "data/layout/dataset.h"
#include "train/task/objective.h"

namespace medurwkv::train {

/// What a sample is made of.
struct SampleOptions {
  InputContract input;
  data::AugmentSettings augment;
  std::uint64_t seed = 0;
  bool distances = false;    ///< of the boundary loss (distances.h), beside the labels
  std::int64_t classes = 2;  ///< of the set, background included
  Regions regions = {};
};

/// make_training_sample's image and labels, as the loader wants them.
data::SampleMaker sample_maker(const SampleOptions& options);
/// Numbers of such a sample.
data::SampleCounts sample_counts(const SampleOptions& options);

/// A batch of SegmentationObjective. Takes over the samples' memory.
Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract);

/// Reads `cases` by their number, images with the windows that `input` wants.
data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases,
                             const InputContract& input);

}  // namespace medurwkv::train
