// What a run is made from: its cases, its input contract, the file its weights start from. Relies
// on data, train/run/config.h and train/initial_weights.h.
#pragma once

#include "torch/aten.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/model_description.h"
#include "data/feed/case_cache.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"
#include "train/initial_weights.h"
#include "train/memory.h"
#include "train/run/config.h"
#include "train/trainer.h"
#include "weights/model_file.h"

namespace medurwkv::train {

/// ImageNet's statistics for RGB, their mean for any other number of channels; `files` are those of
/// a case. Throws a usage Error.
InputContract input_of(const Config& config, std::int64_t files);

/// The fold that `run.fold` names.
std::optional<int> fold_of(const Config& config);

/// --pretrained or --init, read. Throws Error naming the file.
std::optional<InitialWeights> initial_weights_of(const TrainRequest& request);

/// Where the network computes: the request's device; of several ranks with GPUs each has its own.
at::Device device_of(const TrainRequest& request);

/// Whether bfloat16 is fast: on GPUs, and where the processor multiplies tiles of it (AMX); with
/// AVX-512's instructions alone it was slower than float32 (docs/performance.md).
bool bfloat16_pays(const at::Device& device);

/// The cases of a run, numbered: first those of the training part, then those of the validation
/// part. The data set must outlive the reader.
struct RunCases {
  /// Throws Error when the training part is empty, and for an image that a network of `channels`
  /// does not take.
  RunCases(const data::Dataset& dataset, const data::Split& split, std::int64_t channels);
  [[nodiscard]] std::size_t count() const { return train + val; }

  std::size_t train = 0;
  std::size_t val = 0;
  data::CaseReader reader;
};

/// The configuration: the request's, or for a resumed run without one the run's own.
Config configuration_of(const TrainRequest& request, const std::optional<InitialWeights>& initial);

/// How the split says that masks are read. Throws Error with the remedy where a run's own is
/// damaged.
data::DatasetOptions split_options_of(const TrainRequest& request);

/// The model that the run makes, before anything is learned. Fills in what the configuration leaves
/// to the network's preset (resolve_network).
weights::ModelInfo described(Config& config, const data::Dataset& dataset, const data::Split& split,
                             const std::string& split_sha256);

/// What the run will take. Throws Error for one that does not fit.
ExpectedMemory expected_memory(const TrainRequest& request, const Config& config,
                               const weights::ModelInfo& info, const RunCases& cases,
                               const at::Device& device);

}  // namespace medurwkv::train
