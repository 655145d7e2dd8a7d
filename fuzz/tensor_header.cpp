// Bytes as the start of a safetensors file: either a header that obeys the format or an Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "weights/model_file.h"
#include "weights/tensor_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto header = medurwkv::weights::parse_header("fuzzed", bytes, 64);
    static_cast<void>(medurwkv::weights::model_info("fuzzed", header.metadata));
  } catch (const medurwkv::Error& error) {
    if (error.kind() == medurwkv::ErrorKind::internal) throw;
  }
  return 0;
}
