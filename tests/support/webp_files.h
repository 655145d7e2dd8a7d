// WebP files written by libwebp, and their chunks put together by hand.
#pragma once

#include <webp/encode.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "data/image/image.h"

namespace medurwkv::test {

/// Of an image of 3 or 4 channels of 8 bits; colours under full transparency are kept.
inline std::string webp_bytes(const data::Image& image, bool lossless = true) {
  WebPConfig config;
  WebPConfigInit(&config);
  config.lossless = lossless ? 1 : 0;
  config.exact = 1;
  config.quality = 90;
  WebPPicture picture;
  WebPPictureInit(&picture);
  picture.use_argb = lossless ? 1 : 0;
  picture.width = static_cast<int>(image.width);
  picture.height = static_cast<int>(image.height);
  const int row = static_cast<int>(image.width * image.channels);
  image.channels == 4 ? WebPPictureImportRGBA(&picture, image.bytes.data(), row)
                      : WebPPictureImportRGB(&picture, image.bytes.data(), row);
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  picture.writer = WebPMemoryWrite;
  picture.custom_ptr = &writer;
  const bool written = WebPEncode(&config, &picture) != 0;
  std::string out(reinterpret_cast<const char*>(writer.mem), written ? writer.size : 0);
  WebPMemoryWriterClear(&writer);
  WebPPictureFree(&picture);
  return out;
}

inline std::string webp_number(std::uint64_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xffU);
  return out;
}

inline std::string webp_chunk(std::string_view name, const std::string& content) {
  return std::string(name) + webp_number(content.size(), 4) + content +
         (content.size() % 2 == 1 ? std::string(1, '\0') : "");
}

inline std::string webp_riff(const std::string& chunks) {
  return "RIFF" + webp_number(chunks.size() + 4, 4) + "WEBP" + chunks;
}

/// The extended header; `flags` of webp/mux_types.h.
inline std::string webp_extended(unsigned flags, std::int64_t width, std::int64_t height) {
  return webp_chunk("VP8X", webp_number(flags, 4) +
                                webp_number(static_cast<std::uint64_t>(width - 1), 3) +
                                webp_number(static_cast<std::uint64_t>(height - 1), 3));
}

/// The chunks of a file that libwebp wrote.
inline std::string webp_chunks(const std::string& file) {
  return file.substr(12);
}

}  // namespace medurwkv::test
