// Bytes as a file of classes, TOML and labelmap.txt: two classes or more, or an Error.
#include <string>

#include "data/layout/class_file.h"
#include "entry.h"

namespace {

void parse(std::string_view bytes) {
  for (const char* name : {"fuzzed.toml", "labelmap.txt"}) {
    try {
      if (medurwkv::data::parse_classes(name, std::string(bytes)).classes.size() < 2) {
        medurwkv::throw_internal("a file of fewer than two classes was taken");
      }
    } catch (const medurwkv::Error& error) {
      if (error.kind() == medurwkv::ErrorKind::internal) throw;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, parse);
}
