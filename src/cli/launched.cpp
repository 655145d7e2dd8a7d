#include "cli/launched.h"

#include <unistd.h>

#include <algorithm>

#include "core/memory.h"
#include "core/text.h"
#include "core/threads.h"
#include "train/run/launcher.h"

namespace medurwkv::cli {
namespace {

train::Environment environment() {
  train::Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) out[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return out;
}

/// Launchers that bind a process to cores have shared them out already; this process may then use
/// fewer than the machine has.
int share_of_threads(int processes) {
  const int cores = available_cores();
  const bool bound = cores < ::sysconf(_SC_NPROCESSORS_ONLN);
  return bound ? cores : std::max(1, cores / processes);
}

}  // namespace

std::string take_rank(TrainingOptions& options) {
  library::TrainRequest& request = options.request;
  request.rank = options.rank.value_or(0);
  request.world = options.world.value_or(1);
  request.memory = memory_limit();
  if (options.rank || options.world || options.processes) return {};
  const auto launched = train::launched_rank(environment(), request.rendezvous);
  if (!launched || launched->world == 1) return {};
  request.rank = launched->rank;
  request.world = launched->world;
  request.local_rank = launched->local_rank;
  request.rendezvous = launched->rendezvous;
  if (options.common.threads == 0) {
    options.common.threads = share_of_threads(launched->local_world);
  }
  if (request.memory == 0 && launched->local_world > 1) {
    request.memory = available_memory() / launched->local_world;
  }
  if (request.rank > 0) options.common.quiet = true;
  return concat("rank ", request.rank, " of ", request.world, " by ", launched->launcher,
                "; the ranks meet at ", request.rendezvous);
}

}  // namespace medurwkv::cli
