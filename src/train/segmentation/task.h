// Segmentation: images and masks of a data set and a split, judged by the mean Dice of the
// validation part. Relies on data, train/segmentation and train/task/task.h.
#pragma once

#include "torch/aten.h"

#include <memory>

#include "library/requests.h"
#include "train/run/config.h"
#include "train/task/task.h"

namespace medurwkv::train {

/// Reads the data set and the split; resolves the network's settings in `config`, which outlives
/// the task. Throws Error, also where the training part is empty or has an image that the network
/// does not take. `device`: where the network computes.
std::unique_ptr<Task> segmentation_task(const library::TrainRequest& request, Config& config,
                                        const at::Device& device);

}  // namespace medurwkv::train
