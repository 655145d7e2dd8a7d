// The vector kernels for AVX2 and FMA.
#define MEDURWKV_LANES 8
#define MEDURWKV_KERNEL_NAMESPACE avx2

#include "kernels/vector/bi_wkv.h"
#include "kernels/vector/deform_attn.h"
#include "kernels/vector/limits.h"
#include "kernels/vector/token_kernels.h"

namespace medurwkv::kernels {

const VectorKernels avx2_kernels{
    .name = "avx2",
    .lanes = avx2::lanes,
    .wkv_forward = avx2::wkv_forward,
    .wkv_edges = avx2::wkv_edges,
    .wkv_output_edges = avx2::wkv_output_edges,
    .wkv_backward = avx2::wkv_backward,
    .deform_forward = avx2::deform_forward,
    .deform_backward = avx2::deform_backward,
    .tokens = avx2::token_kernels_of<avx2::VectorRows, float>(),
    .fma_flops_per_step = 2 * avx2::fma_chains * avx2::lanes,
    .fma_loop = avx2::fma_loop,
    .triad = avx2::triad,
};

}  // namespace medurwkv::kernels
