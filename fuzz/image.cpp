// Bytes as an image file: decoded, or refused with an Error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"
#include "data/codecs.h"

namespace {

/// Decoding a quarter of a gigapixel is allowed, but slow under a fuzzer.
constexpr std::int64_t fuzzed_pixels = 1 << 20;

void decode(std::string_view bytes) {
  using namespace medurwkv::data;
  const FileKind kind = kind_of("fuzzed", bytes);
  if (kind == FileKind::other) return;
  const ImageSize size =
      kind == FileKind::png ? png_size("fuzzed", bytes) : jpeg_size("fuzzed", bytes);
  if (size.width * size.height > fuzzed_pixels) return;
  if (kind == FileKind::png) {
    static_cast<void>(decode_png("fuzzed", bytes));
  } else {
    static_cast<void>(decode_jpeg("fuzzed", bytes));
  }
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
