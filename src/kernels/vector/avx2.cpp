// The vector kernels for AVX2 and FMA.
// Compiled for x86_64: -mavx2 -mfma
#define MEDURWKV_LANES 8
#define MEDURWKV_KERNEL_NAMESPACE avx2

#include "kernels/vector/kernels.h"

namespace medurwkv::kernels {

extern const VectorKernels avx2_kernels = avx2::table;

}  // namespace medurwkv::kernels
