// All vector kernels and their table. Included by one file for each instruction set, which defines
// MEDURWKV_LANES and MEDURWKV_KERNEL_NAMESPACE.
#pragma once

#include "kernels/vector/bi_wkv.h"
#include "kernels/vector/deform_attn.h"
#include "kernels/vector/limits.h"
#include "kernels/vector/table.h"
#include "kernels/vector/token_kernels.h"

namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE {

inline constexpr VectorKernels table{
    .lanes = lanes,
    .wkv_forward = wkv_forward,
    .wkv_edges = wkv_edges,
    .wkv_output_edges = wkv_output_edges,
    .wkv_backward = wkv_backward,
    .deform_forward = deform_forward,
    .deform_backward = deform_backward,
    .tokens = token_kernels_of<VectorRows, float>(),
    .fma_flops_per_step = 2 * fma_chains * lanes,
    .fma_loop = fma_loop,
    .triad = triad,
};

}  // namespace medurwkv::kernels::MEDURWKV_KERNEL_NAMESPACE
