// What the loader of src/data makes, as tensors. Relies on data/feed/batch_loader.h.
#pragma once

#include "torch/aten.h"

#include <cstdint>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/feed/batch_loader.h"
#include "data/layout/dataset.h"

namespace medurwkv::train {

struct Batch {
  at::Tensor images;  ///< batch x channels x height x width
  at::Tensor labels;  ///< int64, batch x height x width
  std::vector<std::string> ids;
  std::int64_t first = 0;  ///< position in the whole batch of the first image
  bool counts = true;      ///< false: the image stands in (data/feed/batch_loader.h)
};

/// Takes over the samples' memory.
Batch to_tensors(data::SampleBatch&& samples, const InputContract& contract);

/// Reads `cases` by their number.
data::CaseReader case_reader(const data::Dataset& dataset, std::vector<data::Case> cases);

}  // namespace medurwkv::train
