// The vector kernels for AVX-512 (F, BW, DQ, VL).
#define MEDURWKV_LANES 16
#define MEDURWKV_KERNEL_NAMESPACE avx512

#include "kernels/vector/bi_wkv.h"
#include "kernels/vector/deform_attn.h"
#include "kernels/vector/limits.h"
#include "kernels/vector/token_kernels.h"

namespace medurwkv::kernels {

const VectorKernels avx512_kernels{
    .name = "avx512",
    .lanes = avx512::lanes,
    .wkv_forward = avx512::wkv_forward,
    .wkv_edges = avx512::wkv_edges,
    .wkv_output_edges = avx512::wkv_output_edges,
    .wkv_backward = avx512::wkv_backward,
    .deform_forward = avx512::deform_forward,
    .deform_backward = avx512::deform_backward,
    .tokens = avx512::token_kernels_of<avx512::VectorRows, float>(),
    .fma_flops_per_step = 2 * avx512::fma_chains * avx512::lanes,
    .fma_loop = avx512::fma_loop,
    .triad = avx512::triad,
};

}  // namespace medurwkv::kernels
