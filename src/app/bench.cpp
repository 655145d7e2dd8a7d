#include "app/bench.h"

#include "app/training_library.h"

namespace medurwkv::app {

BenchReport measure_network(const library::BenchRequest& request, Listener& listener) {
  return {.machine = this_machine(),
          .libtorch = describe_training_library().libtorch,
          .figures = bench(request, listener)};
}

}  // namespace medurwkv::app
