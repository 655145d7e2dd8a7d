// What every run is made from: its configuration, the file its weights start from, its device, the
// processes that share it, the memory it is going to take. Relies on train/run/config.h,
// train/initial_weights.h, train/meeting.h and train/task.
#pragma once

#include "torch/aten.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "library/requests.h"
#include "train/initial_weights.h"
#include "train/meeting.h"
#include "train/run/config.h"
#include "train/task/memory.h"
#include "train/task/task.h"
#include "weights/model_file.h"

namespace medurwkv::train {

using library::TrainRequest;
struct Beginning;

/// --pretrained or --init, read. Throws Error naming the file.
std::optional<InitialWeights> initial_weights_of(const TrainRequest& request);

/// Where the network computes: the request's device; of several ranks with GPUs each has its own.
at::Device device_of(const TrainRequest& request);

/// Where the run's processes meet; alone where the request names no place. Waits for all ranks.
Meeting meeting_of(const TrainRequest& request, const at::Device& device);

/// Whether bfloat16 is fast: on GPUs, and where the processor multiplies tiles of it (AMX); with
/// AVX-512's instructions alone it was slower than float32 (docs/performance.md).
bool bfloat16_pays(const at::Device& device);

/// The configuration: the request's, or for a resumed run without one the run's own.
Config configuration_of(const TrainRequest& request, const std::optional<InitialWeights>& initial);

/// What the run learns; `config` outlives it. Throws Error.
std::unique_ptr<Task> task_of(const TrainRequest& request, Config& config,
                              const at::Device& device);

/// Throws Error where the run does not fit (train/task/memory.h).
ExpectedMemory expected_memory(const TrainRequest& request, const Config& config, const Task& task,
                               const at::Device& device);

/// "nano: 31,234 parameters, 0.12 G multiply-adds at 64 x 64".
std::string size_text(const weights::ModelInfo& info);

/// What a user should know before the first step, a line each: tensors that stay as they are for a
/// while, bfloat16 that does not pay.
std::vector<std::string> notes_at_start(const Config& config, const Beginning& beginning,
                                        const at::Device& device);

/// What a run's bits may depend on beside its configuration.
nlohmann::json environment_of(const at::Device& device, int processes);

}  // namespace medurwkv::train
