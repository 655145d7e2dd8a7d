#include "kernels/isa.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels {
namespace {

std::optional<Isa>& forced() {
  static std::optional<Isa> isa;
  return isa;
}

Isa isa_from_environment() {
  const std::vector<Isa> available = available_isas();
  const char* wanted = std::getenv("MEDURWKV_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.back();
  const std::string name = wanted;
  const std::string ours = name == "vnni" || name == "amx" ? "avx512" : name;
  for (const Isa isa : available) {
    if (to_string(isa) == ours) return isa;
  }
  std::vector<std::string> names;
  for (const Isa isa : available) names.push_back(to_string(isa));
  throw_usage(concat("MEDURWKV_ISA=", name, " is not available here; known: ", join(names, ", ")));
}

}  // namespace

std::string to_string(Isa isa) {
  switch (isa) {
    case Isa::ref: return "ref";
#if defined(__x86_64__)
    case Isa::sse: return "sse";
#else
    case Isa::sse: return "baseline";
#endif
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  throw_internal("unknown instruction set");
}

std::vector<Isa> available_isas() {
  std::vector<Isa> out{Isa::ref, Isa::sse};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) out.push_back(Isa::avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    out.push_back(Isa::avx512);
  }
#endif
  return out;
}

Isa chosen_isa() {
  if (forced()) return *forced();
  static const Isa isa = isa_from_environment();
  return isa;
}

void force_isa(Isa isa) {
  forced() = isa;
}

const VectorKernels* vector_kernels() {
  switch (chosen_isa()) {
    case Isa::ref: return nullptr;
    case Isa::sse: return &baseline_kernels;
#if defined(__x86_64__)
    case Isa::avx2: return &avx2_kernels;
    case Isa::avx512: return &avx512_kernels;
#else
    default: return &baseline_kernels;
#endif
  }
  throw_internal("unknown instruction set");
}

}  // namespace medurwkv::kernels
