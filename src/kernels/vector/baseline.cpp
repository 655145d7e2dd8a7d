// The vector kernels for what every processor has (SSE2, NEON).
#define MEDURWKV_LANES 4
#define MEDURWKV_VECTOR_NAMESPACE baseline

#include "kernels/vector/bi_wkv.h"

namespace medurwkv::kernels {

const VectorKernels baseline_kernels{
    .name = "baseline",
    .lanes = baseline::lanes,
    .wkv_forward = baseline::wkv_forward,
    .wkv_backward = baseline::wkv_backward,
};

}  // namespace medurwkv::kernels
