// Which instruction set our kernels run on: chosen once, by what the processor has and by
// MEDURWKV_ISA. Relies on core.
#pragma once

#include <string>
#include <vector>

namespace medurwkv::kernels {

struct VectorKernels;

/// `ref` is the plain loops; the others are vector instruction sets, weakest first. `sse` is what
/// every processor of its kind has: SSE2 on x86-64; elsewhere (NEON on ARM) its name is "baseline".
enum class Isa { ref, sse, avx2, avx512 };

std::string to_string(Isa isa);

/// What this processor can run, weakest first.
std::vector<Isa> available_isas();

/// The strongest available one, or what MEDURWKV_ISA says: a name of to_string, or vnni or amx.
/// Those two are about oneDNN (cli/main.cpp): our float kernels have no use for either and run on
/// avx512; whether the processor has them is not looked at. Throws a usage Error for a name that is
/// unknown, and where the set is not available here.
Isa chosen_isa();

/// For tests: run on `isa` from now on. Not while kernels run.
void force_isa(Isa isa);

/// The kernels of the chosen set; null for ref.
const VectorKernels* vector_kernels();

}  // namespace medurwkv::kernels
