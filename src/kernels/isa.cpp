#include "kernels/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/text.h"
#include "kernels/vector/table.h"

namespace medurwkv::kernels {
namespace {

bool always() {
  return true;
}

#if defined(__x86_64__)

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_vnni() {
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

/// Tiles, of bfloat16 and of int8, which the system must also save for each thread: bits 17 and 18
/// of XCR0. Not every compiler's __builtin_cpu_supports knows them.
bool has_amx() {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint32_t d = 0;
  constexpr std::uint32_t xsave_in_use = 1U << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & xsave_in_use) == 0) return false;
  constexpr std::uint32_t tiles = 1U << 24 | 1U << 25 | 1U << 22;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & tiles) != tiles) return false;
  __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));  // NOLINT(hicpp-no-assembler)
  constexpr std::uint32_t saved = 1U << 17 | 1U << 18;
  return has_vnni() && (a & saved) == saved;
}

#elif defined(__aarch64__)

bool has_sve() {
  constexpr unsigned long sve = 1UL << 22;  // HWCAP_SVE of Linux
  return (::getauxval(AT_HWCAP) & sve) != 0;
}

#endif

const Isa*& forced() {
  static const Isa* isa = nullptr;
  return isa;
}

}  // namespace

// Each is a file in kernels/vector.
extern const VectorKernels baseline_kernels, avx2_kernels, avx512_kernels;

const std::vector<Isa>& isas() {
  constexpr Device cpu = Device::cpu;
  // clang-format off
  static const std::vector<Isa> table{
#if defined(__x86_64__)
      {"ref", cpu, always, nullptr, "SSE41", "default"},
      {"sse", cpu, always, &baseline_kernels, "SSE41", "default"},
      {"avx2", cpu, has_avx2, &avx2_kernels, "AVX2", "avx2"},
      {"avx512", cpu, has_avx512, &avx512_kernels, "AVX512_CORE", "avx512"},
      {"vnni", cpu, has_vnni, &avx512_kernels, "AVX512_CORE_VNNI", "avx512"},
      {"amx", cpu, has_amx, &avx512_kernels, "AVX512_CORE_AMX", "avx512"},
#elif defined(__aarch64__)
      {"ref", cpu, always, nullptr, "ADVANCED_SIMD", "default"},
      {"neon", cpu, always, &baseline_kernels, "ADVANCED_SIMD", "default"},
      {"sve", cpu, has_sve, &baseline_kernels, "ALL", "default"},
#else
      {"ref", cpu, always, nullptr, "ALL", "default"},
      {"baseline", cpu, always, &baseline_kernels, "ALL", "default"},
#endif
  };
  // clang-format on
  return table;
}

const Isa* find_isa(std::string_view name, const std::vector<Isa>& table) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Isa& isa) { return isa.name == name; });
  return found == table.end() ? nullptr : &*found;
}

const Isa& wanted_isa(std::string_view wanted, const std::vector<Isa>& table) {
  const Isa* isa = find_isa(wanted, table);
  if (isa != nullptr && isa->is_here()) return *isa;
  std::vector<std::string> here;
  for (const Isa& one : table) {
    if (one.is_here()) here.emplace_back(one.name);
  }
  throw_usage(concat("MEDURWKV_ISA=", wanted,
                     isa == nullptr ? ": there is no such instruction set; this machine has "
                                    : ": this machine lacks it; it has ",
                     join(here, ", ")));
}

std::vector<const Isa*> available_isas() {
  std::vector<const Isa*> out;
  for (const Isa& isa : isas()) {
    if (isa.device != Device::cpu) continue;
    const bool is_own = out.empty() || isa.kernels != out.back()->kernels;
    if (is_own && isa.is_here()) out.push_back(&isa);
  }
  return out;
}

const Isa& chosen_isa() {
  if (forced() != nullptr) return *forced();
  static const Isa& isa = []() -> const Isa& {
    const char* wanted = std::getenv("MEDURWKV_ISA");
    const bool is_set = wanted != nullptr && *wanted != '\0';
    return is_set ? wanted_isa(wanted, isas()) : *available_isas().back();
  }();
  return isa;
}

void force_isa(const Isa& isa) {
  forced() = &isa;
}

const VectorKernels* vector_kernels() {
  return chosen_isa().kernels;
}

bool has_kernels(Device device) {
  return std::any_of(isas().begin(), isas().end(),
                     [&](const Isa& isa) { return isa.device == device; });
}

}  // namespace medurwkv::kernels
