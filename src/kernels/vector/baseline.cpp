// The vector kernels for what every processor has (SSE2, NEON).
#define MEDURWKV_LANES 4
#define MEDURWKV_KERNEL_NAMESPACE baseline

#include "kernels/vector/kernels.h"

namespace medurwkv::kernels {

extern const VectorKernels baseline_kernels = baseline::table;

}  // namespace medurwkv::kernels
