// Which instruction set our kernels run on: chosen once, by what the processor has and by
// MEDURWKV_ISA. Relies on core.
#pragma once

#include <string>
#include <vector>

namespace medurwkv::kernels {

struct VectorKernels;

/// `ref` is the plain loops; the others are vector instruction sets, weakest first. MEDURWKV_ISA
/// may also say vnni or amx, which our float kernels answer with avx512.
enum class Isa { ref, sse, avx2, avx512 };

std::string to_string(Isa isa);

/// What this processor can run, weakest first.
std::vector<Isa> available_isas();

/// The strongest available one, or what MEDURWKV_ISA says. Throws a usage Error when that is
/// unknown or not available here.
Isa chosen_isa();

/// For tests: run on `isa` from now on. Not while kernels run.
void force_isa(Isa isa);

/// The kernels of the chosen set; null for ref.
const VectorKernels* vector_kernels();

}  // namespace medurwkv::kernels
