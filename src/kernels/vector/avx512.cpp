// The vector kernels for AVX-512 (F, BW, DQ, VL).
// Compiled for x86_64: -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
#define MEDURWKV_LANES 16
#define MEDURWKV_KERNEL_NAMESPACE avx512

#include "kernels/vector/kernels.h"

namespace medurwkv::kernels {

extern const VectorKernels avx512_kernels = avx512::table;

}  // namespace medurwkv::kernels
