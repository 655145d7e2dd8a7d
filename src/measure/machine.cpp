#include "measure/machine.h"

#include <malloc.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <fstream>

#include "core/memory.h"
#include "core/text.h"

namespace medurwkv::measure {

std::string line_of(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(key)) return trim(line.substr(line.find(':') + 1));
  }
  return "unknown";
}

#if defined(__aarch64__)

std::string cpu_model() {
  // There Linux gives numbers, not names.
  const std::string name = line_of("/proc/cpuinfo", "model name");
  if (name != "unknown") return name;
  return concat("aarch64, implementer ", line_of("/proc/cpuinfo", "CPU implementer"), ", part ",
                line_of("/proc/cpuinfo", "CPU part"));
}

std::vector<std::string> cpu_features() {
  struct Feature {
    const char* name;
    unsigned long type;
    unsigned bit;
  };
  // Bits of Linux' asm/hwcap.h.
  constexpr Feature features[]{{"asimd", AT_HWCAP, 1},    {"asimdhp", AT_HWCAP, 10},
                               {"asimddp", AT_HWCAP, 20}, {"sve", AT_HWCAP, 22},
                               {"sve2", AT_HWCAP2, 1},    {"svebf16", AT_HWCAP2, 12},
                               {"i8mm", AT_HWCAP2, 13},   {"bf16", AT_HWCAP2, 14}};
  std::vector<std::string> out;
  for (const Feature& feature : features) {
    if ((::getauxval(feature.type) >> feature.bit & 1UL) != 0) out.emplace_back(feature.name);
  }
  return out;
}

#else

std::string cpu_model() {
  return line_of("/proc/cpuinfo", "model name");
}

std::vector<std::string> cpu_features() {
  const std::vector<std::string> wanted{"sse4_1",   "avx2",        "fma",      "avx512f",
                                        "avx512bw", "avx512dq",    "avx512vl", "avx512_vnni",
                                        "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8"};
  const std::vector<std::string> present = split(line_of("/proc/cpuinfo", "flags"), ' ');
  std::vector<std::string> out;
  for (const std::string& feature : wanted) {
    if (std::find(present.begin(), present.end(), feature) != present.end()) out.push_back(feature);
  }
  return out;
}

#endif

std::int64_t peak_memory_of(const std::function<void()>& run) {
#if defined(__GLIBC__)
  ::malloc_trim(0);  // what core/memory.h keeps of earlier work
#endif
  std::ofstream("/proc/self/clear_refs") << 5 << std::flush;  // the peak is what is held now
  run();
  return peak_memory();
}

}  // namespace medurwkv::measure
