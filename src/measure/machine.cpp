#include "measure/machine.h"

#include <malloc.h>

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

std::int64_t peak_memory_of(const std::function<void()>& run) {
#if defined(__GLIBC__)
  ::malloc_trim(0);  // what core/memory.h keeps of earlier work
#endif
  std::ofstream("/proc/self/clear_refs") << 5 << std::flush;  // the peak is what is held now
  run();
  return peak_memory();
}

}  // namespace medurwkv::measure
