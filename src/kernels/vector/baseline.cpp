// The vector kernels for what every processor has (SSE2, NEON).
#define MEDURWKV_LANES 4
#define MEDURWKV_KERNEL_NAMESPACE baseline

#include "kernels/vector/bi_wkv.h"
#include "kernels/vector/deform_attn.h"
#include "kernels/vector/limits.h"
#include "kernels/vector/token_kernels.h"

namespace medurwkv::kernels {

const VectorKernels baseline_kernels{
    .name = "baseline",
    .lanes = baseline::lanes,
    .wkv_forward = baseline::wkv_forward,
    .wkv_edges = baseline::wkv_edges,
    .wkv_output_edges = baseline::wkv_output_edges,
    .wkv_backward = baseline::wkv_backward,
    .deform_forward = baseline::deform_forward,
    .deform_backward = baseline::deform_backward,
    .tokens = baseline::token_kernels_of<baseline::VectorRows, float>(),
    .fma_flops_per_step = 2 * baseline::fma_chains * baseline::lanes,
    .fma_loop = baseline::fma_loop,
    .triad = baseline::triad,
};

}  // namespace medurwkv::kernels
