// Training that a launcher has started (torchrun, srun, mpirun): its rank, and its share of this
// machine. Relies on train/run/launcher.h.
#pragma once

#include "cli/training.h"

namespace medurwkv::cli {

/// Fills in rank, world and meeting place, from the options or else from the environment; of the
/// latter also this process's share of the machine's threads and memory, where the options leave
/// them open. Throws a usage Error. Returns what a user is told of it; empty for none.
std::string take_rank(TrainingOptions& options);

}  // namespace medurwkv::cli
