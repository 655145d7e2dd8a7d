// Bytes as the header of a model file: a description that writes and reads back, or an Error. The
// first eight bytes, the header's length, are not looked at here.
#include "entry.h"
#include "weights/model_file.h"
#include "weights/tensor_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, [](std::string_view bytes) {
    namespace weights = medurwkv::weights;
    constexpr std::uint64_t data_bytes = 64;
    const weights::TensorHeader header = weights::parse_header("fuzzed", bytes, data_bytes);
    const weights::ModelInfo info = weights::model_info("fuzzed", header.metadata);
    if (!(weights::model_info("written", weights::to_metadata(info)).network == info.network)) {
      medurwkv::throw_internal("a model's description does not read back");
    }
  });
}
