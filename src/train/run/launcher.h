// The rank that a launcher (torchrun, srun, mpirun) has given this process, from the variables that
// it sets. Relies on core; a pure function of the variables.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace medurwkv::train {

/// Variables of the environment by name.
using Environment = std::map<std::string, std::string>;

struct LaunchedRank {
  std::string launcher;  ///< "torchrun", "RANK and WORLD_SIZE", "mpirun" or "srun"
  int rank = 0;          ///< of this process, 0 to world - 1
  int world = 1;         ///< number of processes
  int local_rank = 0;    ///< among the processes of this machine
  int local_world = 1;   ///< number of processes on this machine
  /// HOST:PORT where the ranks meet; rank 0 listens there. Empty for a world of 1.
  std::string rendezvous;
};

/// Reads, in this order, RANK and WORLD_SIZE (PyTorch's), OMPI_COMM_WORLD_RANK and _SIZE (Open
/// MPI's), SLURM_PROCID and SLURM_STEP_NUM_TASKS (Slurm's). The first is the innermost: torchrun
/// is often started by srun, and Open MPI starts its daemons with it. Slurm's count only in a step
/// of several tasks, because the shell of an sbatch file has SLURM_PROCID=0, too. Where they meet:
/// MASTER_ADDR and MASTER_PORT, or what Slurm and Open MPI say of their job. `rendezvous`, unless
/// empty, is taken instead. Empty when no launcher has set anything. Throws a usage Error that
/// names the variables when they contradict each other or some are missing.
std::optional<LaunchedRank> launched_rank(const Environment& variables,
                                          const std::string& rendezvous = {});

/// The first host of a list as Slurm writes it: "node01" of "node[01-04,07],gpu3". Throws a usage
/// Error naming `variable` for a list that is empty or whose brackets do not match.
std::string first_host(const std::string& list, const std::string& variable);

/// Entry `node` (from 0) of numbers as Slurm writes them: 2, 2, 1 of "2(x2),1". 0 where there is no
/// such entry or the text is none.
int tasks_on_node(const std::string& list, int node);

/// A port from 20000 to 29999 that follows from `text`. It lies below the ports that Linux gives to
/// programs that ask for any.
int port_of(const std::string& text);

}  // namespace medurwkv::train
