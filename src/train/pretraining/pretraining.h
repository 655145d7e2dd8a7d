// The tasks of `medurwkv pretrain`. Relies on train/task/task.h and library/requests.h.
#pragma once

#include "torch/aten.h"

#include <memory>

#include "library/requests.h"
#include "train/run/config.h"
#include "train/task/task.h"

namespace medurwkv::train {

/// Pictures with a class each, and the classifier (or, with classify.adapter, the adapter under a
/// head that is thrown away). Each reads its pictures and resolves the network's settings in
/// `config`, which outlives the task. Throws Error.
std::unique_ptr<Task> classify_task(const library::TrainRequest& request, Config& config);

/// Masked pictures, rebuilt by the adapter. Source: SimMIM (Xie et al. 2022, arXiv 2111.09886).
std::unique_ptr<Task> simmim_task(const library::TrainRequest& request, Config& config);

/// What a teacher says of the pictures, learned by the adapter.
/// The teacher runs on `device`.
std::unique_ptr<Task> distill_task(const library::TrainRequest& request, Config& config,
                                   const at::Device& device);

}  // namespace medurwkv::train
