// JPEG files in the forms that cameras and programs write, made with libjpeg.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// jpeglib.h needs FILE first.
#include <jpeglib.h>

#include "data/image/image.h"

namespace medurwkv::test {

struct JpegForm {
  std::optional<J_COLOR_SPACE> space = {};  ///< of the samples; none = gray, RGB, CMYK by channels
  int quality = 98;
  bool progressive = false;
  std::vector<std::string> exif = {};  ///< bytes of APP1 markers
  std::function<void(jpeg_compress_struct&)> change = {};
};

inline J_COLOR_SPACE space_of(std::int64_t channels) {
  return channels == 1   ? JCS_GRAYSCALE
         : channels == 3 ? JCS_RGB
         : channels == 4 ? JCS_CMYK
                         : JCS_UNKNOWN;
}

inline std::string jpeg_bytes(const data::Image& image, const JpegForm& form = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = static_cast<int>(image.channels);
  info.in_color_space = form.space.value_or(space_of(image.channels));
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, form.quality, TRUE);
  if (form.progressive) jpeg_simple_progression(&info);
  if (form.change) form.change(info);
  jpeg_start_compress(&info, TRUE);
  for (const std::string& block : form.exif) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(block.data()),
                      static_cast<unsigned>(block.size()));
  }
  std::vector<unsigned char> pixels = image.bytes;
  const auto row = static_cast<std::size_t>(image.width * image.channels);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    JSAMPROW pointer = pixels.data() + y * row;
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  std::string out(reinterpret_cast<char*>(memory), size);
  jpeg_destroy_compress(&info);
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg allocated it
  return out;
}

/// An EXIF block whose directory has one other entry before the orientation (TIFF 6.0: tag, type 3
/// = SHORT, count, value).
inline std::string exif_block(bool little, int orientation) {
  std::string out("Exif\0\0", 6);
  const auto put = [&](unsigned value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      out += static_cast<char>((value >> (8 * (little ? i : bytes - 1 - i))) & 0xffU);
    }
  };
  out += little ? "II" : "MM";
  put(42, 2);
  put(8, 4);
  put(2, 2);
  put(0x0100, 2), put(3, 2), put(1, 4), put(48, 2), put(0, 2);
  put(0x0112, 2), put(3, 2), put(1, 4), put(static_cast<unsigned>(orientation), 2), put(0, 2);
  put(0, 4);
  return out;
}

}  // namespace medurwkv::test
