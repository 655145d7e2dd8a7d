// Bytes as a file of classes, TOML and labelmap.txt: classes that obey the rules, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "data/class_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"fuzzed.toml", "labelmap.txt"}) {
    try {
      if (medurwkv::data::parse_classes(name, text).size() < 2) std::abort();
    } catch (const medurwkv::Error& error) {
      if (error.kind() == medurwkv::ErrorKind::internal) throw;
    }
  }
  return 0;
}
