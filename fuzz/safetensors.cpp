// Bytes as a safetensors file: every tensor's values, or an Error.
#include <string>

#include "entry.h"
#include "weights/tensor_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, [](std::string_view bytes) {
    const auto file = medurwkv::weights::TensorFile("fuzzed", std::string(bytes),
                                                    medurwkv::weights::safetensors_layout);
    for (const auto& tensor : file.tensors()) static_cast<void>(file.values(tensor.name));
  });
}
