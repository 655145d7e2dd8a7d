// Bytes as an image file of any format: decoded, or refused with an Error; its size before its
// pixels is the one they have.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "data/codecs.h"

namespace {

/// Decoding a gigabyte is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_pixels = 1 << 20;

void decode(std::string_view bytes) {
  using namespace medurwkv::data;
  if (kind_of("fuzzed", bytes) == FileKind::arrays) return;
  const ImageSize size = image_size("fuzzed", bytes);
  if (size.width * size.height > fuzzed_pixels) return;
  const DecodedImage decoded = decode_image("fuzzed", bytes);
  if (decoded.image.width != size.width || decoded.image.height != size.height) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    decode({reinterpret_cast<const char*>(data), size});
  } catch (const medurwkv::Error& error) {
    if (error.kind() == medurwkv::ErrorKind::internal) throw;
  }
  return 0;
}
