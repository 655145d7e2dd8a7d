// How the images of a run become the network's input. Relies on train/run/config.h.
#pragma once

#include <cstdint>

#include "core/model_description.h"
#include "train/run/config.h"

namespace medurwkv::train {

/// As the configuration says it: ImageNet's statistics for RGB, their mean for any other number of
/// channels; `files` are those of a case. Throws a usage Error.
InputContract input_of(const Config& config, std::int64_t files = 1);

}  // namespace medurwkv::train
