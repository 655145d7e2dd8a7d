// Bytes as weights of any kind, and as the pickle of a checkpoint around which everything else is
// in order: all tensors' values, or an Error.
#include <memory>
#include <string>

#include "entry.h"
#include "weights/file_layout.h"
#include "weights/pickle.h"
#include "weights/torch_objects.h"

namespace {

void read_file(std::string_view bytes) {
  const auto file =
      medurwkv::weights::TensorFile("fuzzed", std::string(bytes), medurwkv::weights::layout_of);
  for (const auto& tensor : file.tensors()) static_cast<void>(file.values(tensor.name));
}

/// The archive's CRCs keep a fuzzer from what is behind them.
void read_pickle(std::string_view bytes) {
  namespace weights = medurwkv::weights;
  weights::Budget budget("fuzzed", bytes.size());
  const weights::Pickle pickle =
      weights::Pickle::parse("fuzzed", bytes, 0, weights::torch_globals(), budget);
  static_cast<void>(weights::torch_objects("fuzzed", pickle, budget));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  medurwkv::fuzz::run(data, size, read_file);
  return medurwkv::fuzz::run(data, size, read_pickle);
}
