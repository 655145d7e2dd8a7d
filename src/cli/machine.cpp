#include "cli/machine.h"

#include <algorithm>
#include <fstream>

#include "core/text.h"

namespace medurwkv::cli {

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
  const std::vector<std::string> wanted{"sse4_1",      "avx2",     "fma",         "f16c",
                                        "avx512f",     "avx512bw", "avx512_vnni", "avx_vnni",
                                        "avx512_bf16", "amx_bf16", "amx_int8"};
  const std::vector<std::string> present = split(line_of("/proc/cpuinfo", "flags"), ' ');
  std::vector<std::string> out;
  for (const std::string& feature : wanted) {
    if (std::find(present.begin(), present.end(), feature) != present.end()) out.push_back(feature);
  }
  return out;
}

}  // namespace medurwkv::cli
