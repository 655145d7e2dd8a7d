// BMP files put together field by field after the Windows documentation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv::test {

struct BmpForm {
  std::int32_t width = 1, height = 1;  ///< a negative height: rows from top to bottom
  std::uint16_t bits = 24;
  std::uint32_t coding = 0;
  std::uint32_t header = 40;                ///< 12: OS/2
  std::vector<std::uint32_t> palette = {};  ///< 0x00RRGGBB
  std::vector<std::uint32_t> masks = {};    ///< behind the header of 40 bytes
  std::string pixels;                       ///< as in the file
};

inline std::string bmp_number(std::uint64_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xffU);
  return out;
}

inline std::string make_bmp(const BmpForm& form) {
  std::string header = bmp_number(form.header, 4);
  const unsigned side = form.header == 12 ? 2 : 4;
  header += bmp_number(static_cast<std::uint32_t>(form.width), side);
  header += bmp_number(static_cast<std::uint32_t>(form.height), side);
  header += bmp_number(1, 2) + bmp_number(form.bits, 2);
  if (form.header != 12) {
    header += bmp_number(form.coding, 4) + bmp_number(0, 4) + bmp_number(2835, 4) +
              bmp_number(2835, 4) + bmp_number(form.palette.size(), 4) + bmp_number(0, 4);
    for (const std::uint32_t mask : form.masks) header += bmp_number(mask, 4);
    if (header.size() < form.header) header.resize(form.header, '\0');
  }
  std::string colors;
  for (const std::uint32_t color : form.palette) {
    colors += bmp_number(color, form.header == 12 ? 3 : 4);
  }
  const std::size_t start = 14 + header.size() + colors.size();
  return "BM" + bmp_number(start + form.pixels.size(), 4) + bmp_number(0, 4) +
         bmp_number(start, 4) + header + colors + form.pixels;
}

}  // namespace medurwkv::test
