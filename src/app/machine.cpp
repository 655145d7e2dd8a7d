#include "app/machine.h"

#include "core/threads.h"
#include "core/version.h"
#include "kernels/isa.h"
#include "measure/machine.h"
#include "native/onednn.h"

namespace medurwkv::app {

Machine this_machine() {
  return {.medurwkv = medurwkv::version,
          .cpu = measure::cpu_model(),
          .features = measure::cpu_features(),
          .cores = available_cores(),
          .kernels = kernels::chosen_isa().name,
          .onednn = native::onednn_version(),
          .onednn_isa = native::onednn_isa()};
}

}  // namespace medurwkv::app
