// `medurwkv bench` in the training library: what a training step of a network takes in time and
// memory on this processor, beside the machine's limits. Relies on train/learner.h,
// train/task/memory.h and measure.
#pragma once

#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::train {

/// Throws Error, naming the size where it does not fit into memory, or Stopped.
library::BenchResult run_bench(const library::BenchRequest& request, Listener& listener);

}  // namespace medurwkv::train
