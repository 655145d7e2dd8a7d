// What a run is made from: its cases, its input contract, the file its weights start from. Relies
// on data, train/config.h and train/initial_weights.h.
#pragma once

#include "torch/aten.h"

#include <cstddef>
#include <optional>

#include "data/case_cache.h"
#include "data/dataset.h"
#include "data/split.h"
#include "train/config.h"
#include "train/initial_weights.h"
#include "train/trainer.h"

namespace medurwkv::train {

/// ImageNet's statistics for RGB, their mean for any other number of channels. Throws a usage
/// Error.
InputContract input_of(const Config& config);

/// The fold that `run.fold` names.
std::optional<int> fold_of(const Config& config);

/// --pretrained or --init, read. Throws Error naming the file.
std::optional<InitialWeights> initial_weights_of(const TrainRequest& request);

/// Whether bfloat16 is fast: on GPUs, and where the processor multiplies tiles of it (AMX); with
/// AVX-512's instructions alone it was slower than float32 (docs/performance.md).
bool bfloat16_pays(const at::Device& device);

/// The cases of a run, numbered: first those of the training part, then those of the validation
/// part. The data set must outlive the reader.
struct RunCases {
  /// Throws Error when the training part is empty.
  RunCases(const data::Dataset& dataset, const data::Split& split);
  [[nodiscard]] std::size_t count() const { return train + val; }

  std::size_t train = 0;
  std::size_t val = 0;
  data::CaseReader reader;
};

}  // namespace medurwkv::train
