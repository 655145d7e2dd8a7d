// Bytes as an HDF5 file, through libmedurwkv_h5.so: its arrays listed and those that are an image
// or a label read, or an Error.
#include <string>

#include "data/codecs/arrays.h"
#include "data/codecs/read.h"
#include "entry.h"
#include "scratch.h"

namespace {

namespace data = medurwkv::data;

/// Decoding a gigabyte is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_samples = 1 << 20;

void read_arrays(std::string_view bytes) {
  // Without its signature HDF5's library would look for it further on.
  if (data::array_file_kind(bytes) != data::ArrayFile::h5) return;
  const medurwkv::fuzz::ScratchFile file(".h5", bytes);
  for (const data::ArrayInfo& array : data::list_arrays(file.path())) {
    if (medurwkv::element_count(array.shape) > fuzzed_samples) continue;
    data::ImageSource source{.file = file.path(), .array = array.name};
    if (array.shape.size() == 3) source.slice = array.shape[0] - 1;
    static_cast<void>(data::read_array_image(source));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, read_arrays);
}
