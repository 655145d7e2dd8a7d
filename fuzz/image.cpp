// Bytes as an image file of any format: decoded, at the size that its header gives, or an
// Error.
#include "data/codecs/codecs.h"
#include "entry.h"

namespace {

/// Decoding a gigabyte is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_pixels = 1 << 20;

void decode(std::string_view bytes) {
  namespace data = medurwkv::data;
  if (data::kind_of("fuzzed", bytes) == data::FileKind::arrays) return;
  const data::ImageSize size = data::image_size("fuzzed", bytes);
  if (size.width * size.height > fuzzed_pixels) return;
  const data::DecodedImage decoded = data::decode_image("fuzzed", bytes);
  if (decoded.image.width != size.width || decoded.image.height != size.height) {
    medurwkv::throw_internal("an image has another size than its header says");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, decode);
}
