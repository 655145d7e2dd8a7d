// TIFF files written by libtiff itself, in the forms cameras, scanners and programs choose.
#pragma once

#include <tiffio.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace medurwkv::test {

struct TiffForm {
  std::uint32_t width = 1, height = 1;
  std::uint16_t bits = 8, samples = 1;
  std::uint16_t format = SAMPLEFORMAT_UINT;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t compression = COMPRESSION_NONE;
  std::uint16_t planar = PLANARCONFIG_CONTIG;
  std::uint16_t orientation = 0;            ///< 0: not written
  bool tiled = false;                       ///< tiles of 16 x 16
  std::uint32_t strip = 2;                  ///< rows of a strip
  bool big_endian = false, wide = false;    ///< wide: BigTIFF
  std::vector<std::uint16_t> palette = {};  ///< reds, greens, blues
  std::uint32_t kind = 0;                   ///< new subfile type
  /// What the samples behind gray or colours are; none: not written.
  std::optional<std::vector<std::uint16_t>> extra = {};
};

/// The file so far, as libtiff writes it.
struct TiffMemory {
  std::string bytes;
  std::uint64_t at = 0;
};

/// Adds a page of packed rows (for separate planes: all rows of the first, then of the next).
inline void add_tiff_page(TIFF* tiff, const TiffForm& form, const std::vector<std::string>& rows) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, form.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, form.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, form.bits);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, form.samples);
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, form.format);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, form.photometric);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, form.compression);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, form.planar);
  if (form.extra) {
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, static_cast<std::uint16_t>(form.extra->size()),
                 form.extra->data());
  }
  if (form.kind != 0) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, form.kind);
  if (form.orientation != 0) TIFFSetField(tiff, TIFFTAG_ORIENTATION, form.orientation);
  if (form.photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  if (!form.palette.empty()) {
    std::vector<std::uint16_t> colors = form.palette;
    const std::size_t count = colors.size() / 3;
    TIFFSetField(tiff, TIFFTAG_COLORMAP, colors.data(), colors.data() + count,
                 colors.data() + 2 * count);
  }
  const bool apart = form.planar == PLANARCONFIG_SEPARATE;
  if (form.tiled) {
    constexpr std::uint32_t side = 16;
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, side);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, side);
    const std::size_t pixel = form.bits / 8 * (apart ? 1 : form.samples);
    const std::uint16_t planes = apart ? form.samples : std::uint16_t{1};
    for (std::uint16_t plane = 0; plane < planes; ++plane) {
      for (std::uint32_t y = 0; y < form.height; y += side) {
        for (std::uint32_t x = 0; x < form.width; x += side) {
          std::string tile(side * side * pixel, '\0');
          for (std::uint32_t line = 0; line < side && y + line < form.height; ++line) {
            const std::string& row = rows[plane * form.height + y + line];
            row.copy(tile.data() + line * side * pixel, side * pixel, x * pixel);
          }
          TIFFWriteTile(tiff, tile.data(), x, y, 0, plane);
        }
      }
    }
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, form.strip);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::string row = rows[i];
      TIFFWriteScanline(tiff, row.data(), static_cast<std::uint32_t>(i % form.height),
                        static_cast<std::uint16_t>(i / form.height));
    }
  }
  TIFFWriteDirectory(tiff);
}

struct TiffPage {
  TiffForm form;
  std::vector<std::string> rows;
};

inline std::string tiff_bytes(const std::vector<TiffPage>& pages) {
  TiffMemory memory;
  const auto read = [](thandle_t handle, void* to, tmsize_t count) -> tmsize_t {
    auto* m = static_cast<TiffMemory*>(handle);
    const std::size_t got =
        m->at >= m->bytes.size()
            ? 0
            : m->bytes.copy(static_cast<char*>(to), static_cast<std::size_t>(count), m->at);
    m->at += got;
    return static_cast<tmsize_t>(got);
  };
  const auto write = [](thandle_t handle, void* from, tmsize_t count) -> tmsize_t {
    auto* m = static_cast<TiffMemory*>(handle);
    const auto size = static_cast<std::size_t>(count);
    if (m->bytes.size() < m->at + size) m->bytes.resize(m->at + size);
    std::memcpy(m->bytes.data() + m->at, from, size);
    m->at += size;
    return count;
  };
  const auto seek = [](thandle_t handle, toff_t to, int from) -> toff_t {
    auto* m = static_cast<TiffMemory*>(handle);
    m->at = to + (from == SEEK_CUR ? m->at : from == SEEK_END ? m->bytes.size() : 0);
    return m->at;
  };
  const auto close = [](thandle_t) { return 0; };
  const auto size = [](thandle_t handle) -> toff_t {
    return static_cast<TiffMemory*>(handle)->bytes.size();
  };
  const TiffForm& first = pages.front().form;
  const std::string mode =
      std::string("w") + (first.big_endian ? "b" : "l") + (first.wide ? "8" : "");
  TIFF* tiff = TIFFClientOpen("memory", mode.c_str(), &memory, read, write, seek, close, size,
                              nullptr, nullptr);
  for (const TiffPage& page : pages) add_tiff_page(tiff, page.form, page.rows);
  TIFFClose(tiff);
  return memory.bytes;
}

inline std::string tiff_bytes(const TiffForm& form, const std::vector<std::string>& rows) {
  return tiff_bytes({{form, rows}});
}

}  // namespace medurwkv::test
