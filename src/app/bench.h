// `bench`: time and memory of a network on this machine, measured with the training library. Relies
// on app/machine.h and library.
#pragma once

#include <string>

#include "app/machine.h"
#include "core/listener.h"
#include "library/requests.h"
#include "library/results.h"

namespace medurwkv::app {

struct BenchReport {
  Machine machine;               ///< that it was measured on
  std::string libtorch;          ///< version
  library::BenchResult figures;  ///< what was measured
};

/// Throws Error, naming the size where it does not fit into memory, or Stopped.
BenchReport measure_network(const library::BenchRequest& request, Listener& listener);

}  // namespace medurwkv::app
