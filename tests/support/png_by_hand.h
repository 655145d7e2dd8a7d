// PNG files put together chunk by chunk after the PNG specification (W3C, third edition), so that
// odd and broken ones can be made without libpng. Relies on zlib for checksums and deflate.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace medurwkv::test {

/// Four bytes, most significant first.
inline std::string big_endian(std::uint32_t value) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out += static_cast<char>((value >> (24 - shift)) & 0xffU);
  }
  return out;
}

/// Length, type, data, checksum.
inline std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  const uLong crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(crc));
}

inline std::string in_zlib(std::string_view plain) {
  uLongf size = compressBound(static_cast<uLong>(plain.size()));
  std::string out(size, '\0');
  compress2(reinterpret_cast<Bytef*>(out.data()), &size,
            reinterpret_cast<const Bytef*>(plain.data()), static_cast<uLong>(plain.size()), 9);
  out.resize(size);
  return out;
}

/// Colour types of the specification.
enum PngColor : std::uint8_t {
  png_gray = 0,
  png_rgb = 2,
  png_palette = 3,
  png_gray_alpha = 4,
  png_rgba = 6,
};

struct PngParts {
  std::uint32_t width = 0, height = 0;
  std::uint8_t depth = 8;
  std::uint8_t color = png_gray;
  std::uint8_t interlace = 0;
  std::string palette = {};       ///< PLTE: red, green, blue per entry
  std::string transparency = {};  ///< tRNS
  std::string scanlines = {};     ///< filter byte and packed samples, row after row
};

inline constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n";

inline std::string png_header(const PngParts& parts) {
  std::string data = big_endian(parts.width) + big_endian(parts.height);
  for (const std::uint8_t byte :
       {parts.depth, parts.color, std::uint8_t{0}, std::uint8_t{0}, parts.interlace}) {
    data += static_cast<char>(byte);
  }
  return png_chunk("IHDR", data);
}

inline std::string make_png(const PngParts& parts) {
  std::string out = std::string(png_signature) + png_header(parts);
  if (!parts.palette.empty()) out += png_chunk("PLTE", parts.palette);
  if (!parts.transparency.empty()) out += png_chunk("tRNS", parts.transparency);
  return out + png_chunk("IDAT", in_zlib(parts.scanlines)) + png_chunk("IEND", "");
}

/// Bytes from numbers.
inline std::string bytes_of(const std::vector<int>& values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

}  // namespace medurwkv::test
