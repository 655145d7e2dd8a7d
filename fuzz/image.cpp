// Bytes as an image file of any format: decoded, at the size that is told without its pixels, or an
// Error.
#include "data/codecs.h"
#include "entry.h"

namespace {

/// Decoding a gigabyte is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_pixels = 1 << 20;

void decode(std::string_view bytes) {
  using namespace medurwkv::data;
  if (kind_of("fuzzed", bytes) == FileKind::arrays) return;
  const ImageSize size = image_size("fuzzed", bytes);
  if (size.width * size.height > fuzzed_pixels) return;
  const DecodedImage decoded = decode_image("fuzzed", bytes);
  if (decoded.image.width != size.width || decoded.image.height != size.height) {
    medurwkv::throw_internal("an image has another size than its header says");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, decode);
}
