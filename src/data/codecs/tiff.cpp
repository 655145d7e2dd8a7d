// TIFF in, through libtiff, from memory. libtiff reports by handler and return value; every Reader
// has handlers of its own, so nothing is printed and threads share no state.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/half.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

/// The file in memory and the last message.
struct Memory {
  std::string_view bytes;
  std::uint64_t at = 0;
  std::string message;
};

tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t count) {
  auto* memory = static_cast<Memory*>(handle);
  if (count <= 0 || memory->at >= memory->bytes.size()) return 0;
  const auto wanted = static_cast<std::uint64_t>(count);
  const std::uint64_t got = std::min<std::uint64_t>(wanted, memory->bytes.size() - memory->at);
  std::memcpy(to, memory->bytes.data() + memory->at, got);
  memory->at += got;
  return static_cast<tmsize_t>(got);
}

tmsize_t write_nothing(thandle_t /*handle*/, void* /*from*/, tmsize_t /*count*/) {
  return 0;
}

toff_t seek(thandle_t handle, toff_t to, int from) {
  auto* memory = static_cast<Memory*>(handle);
  if (from == SEEK_CUR) to += memory->at;
  if (from == SEEK_END) to += memory->bytes.size();
  memory->at = to;
  return to;
}

int close_nothing(thandle_t /*handle*/) {
  return 0;
}

toff_t size_of_memory(thandle_t handle) {
  return static_cast<Memory*>(handle)->bytes.size();
}

int keep_message(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format,
                 std::va_list values) {
  std::array<char, 256> text{};
  std::vsnprintf(text.data(), text.size(), format, values);
  static_cast<Memory*>(user)->message = text.data();
  return 1;
}

int drop_warning(TIFF* /*tiff*/, void* /*user*/, const char* /*module*/, const char* /*format*/,
                 std::va_list /*values*/) {
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};

/// What a page says of its pixels.
struct Page {
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = 0;
  std::uint16_t planar = PLANARCONFIG_CONTIG, compression = COMPRESSION_NONE, orientation = 1;
};

class Reader {
 public:
  Reader(std::string file, std::string_view bytes) : file_(std::move(file)) {
    memory_.bytes = bytes;
    TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
    if (options == nullptr) throw_failure(concat(file_, ": out of memory for libtiff"));
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, decoded_limit);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_message, &memory_);
    TIFFOpenOptionsSetWarningHandlerExtR(options, drop_warning, nullptr);
    // m: no mapping of memory; O: offsets of strips are read when they are wanted.
    tiff_.reset(TIFFClientOpenExt(file_.c_str(), "rm", &memory_, read_bytes, write_nothing, seek,
                                  close_nothing, size_of_memory, nullptr, nullptr, options));
    TIFFOpenOptionsFree(options);
    if (tiff_ == nullptr) fail();
  }

  /// The size as it is to be seen.
  ImageSize read_header() {
    refuse_pages();
    TIFFGetField(tiff_.get(), TIFFTAG_IMAGEWIDTH, &page_.width);
    TIFFGetField(tiff_.get(), TIFFTAG_IMAGELENGTH, &page_.height);
    const auto field = [&](std::uint32_t tag, std::uint16_t& value) {
      TIFFGetFieldDefaulted(tiff_.get(), tag, &value);
    };
    field(TIFFTAG_BITSPERSAMPLE, page_.bits);
    field(TIFFTAG_SAMPLESPERPIXEL, page_.samples);
    field(TIFFTAG_SAMPLEFORMAT, page_.format);
    field(TIFFTAG_PLANARCONFIG, page_.planar);
    field(TIFFTAG_COMPRESSION, page_.compression);
    field(TIFFTAG_ORIENTATION, page_.orientation);
    if (TIFFGetField(tiff_.get(), TIFFTAG_PHOTOMETRIC, &page_.photometric) == 0) {
      page_.photometric = page_.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    }
    const std::int64_t sample_bytes = page_.bits <= 8 ? 1 : page_.bits <= 16 ? 2 : 4;
    check_size(file_, page_.width, page_.height, sample_bytes * page_.samples);
    const bool swapped = page_.orientation >= 5 && page_.orientation <= 8;
    return swapped ? ImageSize{page_.height, page_.width} : ImageSize{page_.width, page_.height};
  }

  DecodedImage read_pixels() {
    read_header();
    const MemoryClaim claim = claim_pixels(file_, pixel_claim());
    DecodedImage out;
    const bool palette = page_.photometric == PHOTOMETRIC_PALETTE && page_.samples == 1;
    const bool gray =
        page_.photometric == PHOTOMETRIC_MINISBLACK || page_.photometric == PHOTOMETRIC_MINISWHITE;
    const bool rgb = page_.photometric == PHOTOMETRIC_RGB && page_.samples >= 3;
    out.lossy = page_.compression == COMPRESSION_JPEG || page_.compression == COMPRESSION_OJPEG;
    if (palette && page_.bits <= 8) {
      read_palette(out);
    } else if (gray || rgb) {
      read_channels(gray ? 1 : 3, out);
    } else if (page_.photometric == PHOTOMETRIC_YCBCR) {
      out.image = read_as_rgb();
      out.lossy = true;
      return out;
    } else {
      refuse("its colours (photometric interpretation)", page_.photometric);
    }
    out.image = oriented(std::move(out.image), page_.orientation);
    return out;
  }

 private:
  [[noreturn]] void fail() {
    throw_failure(concat(file_, ": broken TIFF: ",
                         memory_.message.empty() ? "it cannot be read" : shown(memory_.message)));
  }
  [[noreturn]] void refuse(const char* what, int value) {
    throw_failure(concat(file_, ": ", what, " are of kind ", value,
                         ", which is not read; convert it to PNG"));
  }

  /// Reduced copies and masks of the first page are passed.
  void refuse_pages() {
    int pages = 1;
    while (TIFFReadDirectory(tiff_.get()) != 0) {
      std::uint32_t kind = 0;
      TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_SUBFILETYPE, &kind);
      if ((kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) ++pages;
      constexpr int most_pages = 100000;
      if (pages > most_pages) break;
    }
    if (pages > 1) {
      throw_failure(
          concat(file_, ": holds ", pages,
                 " pictures; save each as one file, or the channels of one picture as its "
                 "samples"));
    }
    memory_.message.clear();
    if (TIFFSetDirectory(tiff_.get(), 0) == 0) fail();
  }

  /// A tile claims its pixels, too, and may claim more than the picture: it is unpacked whole.
  PixelClaim pixel_claim() {
    std::int64_t best = 100000;  // CCITT, Zstandard, LZMA, WebP
    if (page_.compression == COMPRESSION_NONE) best = 1;
    if (page_.compression == COMPRESSION_PACKBITS) best = 64;
    if (page_.compression == COMPRESSION_LZW) best = 2800;
    if (page_.compression == COMPRESSION_ADOBE_DEFLATE ||
        page_.compression == COMPRESSION_DEFLATE) {
      best = 1032;
    }
    const std::int64_t bits = std::int64_t{page_.bits} * page_.samples;
    const std::int64_t most = static_cast<std::int64_t>(memory_.bytes.size()) * best * 8 /
                              std::max<std::int64_t>(bits, 1);
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    if (TIFFIsTiled(tiff_.get()) != 0) {
      TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &width);
      TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &height);
      if (height > 0 && width > most / height) {
        throw_failure(concat(file_, ": claims tiles of ", width, " x ", height,
                             " pixels, more than a file of its size can hold"));
      }
    }
    // Rows as they are stored, the image, and a copy of it; colours that libtiff converts take 7.
    const std::int64_t sample = page_.bits <= 8 ? 1 : page_.bits <= 16 ? 2 : 4;
    const std::int64_t image = std::max<std::int64_t>(sample * page_.samples, 3);
    const std::int64_t tile = std::int64_t{width} * height * ((bits + 7) / 8);
    const std::int64_t pixels = std::int64_t{page_.width} * page_.height;
    return {.size = {page_.width, page_.height},
            .bytes_per_pixel = (bits + 7) / 8 + 2 * image + tile / pixels,
            .most = most};
  }

  /// Rows of one plane (all samples of a pixel together, or one sample), packed as in the file.
  std::vector<unsigned char> read_rows(std::uint16_t plane, std::size_t row) {
    std::vector<unsigned char> out(row * page_.height);
    if (TIFFIsTiled(tiff_.get()) != 0) {
      read_tiles(plane, row, out);
      return out;
    }
    if (TIFFScanlineSize(tiff_.get()) != static_cast<tmsize_t>(row)) fail();
    for (std::uint32_t y = 0; y < page_.height; ++y) {
      if (TIFFReadScanline(tiff_.get(), out.data() + y * row, y, plane) != 1) fail();
    }
    return out;
  }

  /// Tiles are whole bytes wide: their width is a multiple of 16.
  void read_tiles(std::uint16_t plane, std::size_t row, std::vector<unsigned char>& out) {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &height);
    const auto tile_row = static_cast<std::size_t>(TIFFTileRowSize(tiff_.get()));
    const auto tile_bytes = static_cast<std::size_t>(TIFFTileSize(tiff_.get()));
    if (width == 0 || width % 16 != 0 || height == 0 || tile_row == 0 ||
        tile_bytes / tile_row < height || tile_bytes > static_cast<std::size_t>(decoded_limit)) {
      fail();
    }
    std::vector<unsigned char> tile(tile_bytes);
    for (std::uint32_t y = 0; y < page_.height; y += height) {
      for (std::uint32_t x = 0; x < page_.width; x += width) {
        if (TIFFReadTile(tiff_.get(), tile.data(), x, y, 0, plane) < 0) fail();
        const std::size_t left = x / width * tile_row;
        if (left >= row) fail();
        const std::size_t count = std::min(tile_row, row - left);
        for (std::uint32_t line = 0; line < height && y + line < page_.height; ++line) {
          std::memcpy(out.data() + (y + line) * row + left, tile.data() + line * tile_row, count);
        }
      }
    }
  }

  /// Bytes of a row of `samples` samples per pixel.
  [[nodiscard]] std::size_t row_bytes(std::size_t samples) const {
    return (std::size_t{page_.width} * samples * page_.bits + 7) / 8;
  }

  /// Which samples of a pixel are alpha: those behind its `colors` that the file calls so, or,
  /// where it does not say what they are, a single one.
  std::vector<bool> alpha_samples(std::size_t colors) {
    std::vector<bool> out(page_.samples, false);
    std::uint16_t count = 0;
    std::uint16_t* kinds = nullptr;
    if (TIFFGetField(tiff_.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds) == 0) {
      if (page_.samples == colors + 1) out[colors] = true;
      return out;
    }
    for (std::size_t i = 0; i < count && colors + i < out.size(); ++i) {
      out[colors + i] = kinds[i] == EXTRASAMPLE_ASSOCALPHA || kinds[i] == EXTRASAMPLE_UNASSALPHA;
    }
    return out;
  }

  /// Reads all samples of a pixel but alpha.
  void read_channels(std::size_t colors, DecodedImage& out) {
    const std::vector<bool> alpha = alpha_samples(colors);
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < alpha.size(); ++i) {
      if (!alpha[i]) wanted.push_back(i);
    }
    if (wanted.size() > static_cast<std::size_t>(most_channels)) {
      throw_failure(concat(file_, ": has ", wanted.size(), " channels; at most ", most_channels,
                           " are read"));
    }
    const auto found = std::find(alpha.begin(), alpha.end(), true);
    const bool dropped = found != alpha.end();
    if (dropped) wanted.push_back(static_cast<std::size_t>(found - alpha.begin()));
    out.image = read_samples(wanted);
    if (dropped) drop_alpha(out);
    if (page_.photometric == PHOTOMETRIC_MINISWHITE) {
      if (out.image.type == SampleType::f32) {
        refuse("its float samples with white as 0", page_.format);
      }
      if (out.image.channels > 1) {
        throw_failure(concat(file_, ": has ", out.image.channels,
                             " channels with white as 0, which are not read; save them with black "
                             "as 0"));
      }
      for (unsigned char& byte : out.image.bytes) byte = static_cast<unsigned char>(~byte);
    }
  }

  /// Reads the `wanted` samples of each pixel.
  Image read_samples(const std::vector<std::size_t>& wanted) {
    Image out{.width = page_.width,
              .height = page_.height,
              .channels = static_cast<std::int64_t>(wanted.size()),
              .bytes = {}};
    const bool apart = page_.planar == PLANARCONFIG_SEPARATE && page_.samples > 1;
    const auto stored = static_cast<std::size_t>(apart ? 1 : page_.samples);
    const std::size_t row = row_bytes(stored);
    const std::size_t size = sample_bytes(out);
    const std::size_t channels = wanted.size();
    out.bytes.resize(std::size_t{page_.width} * page_.height * channels * size);
    std::vector<unsigned char> rows;
    for (std::size_t c = 0; c < channels; ++c) {
      if (c == 0 || apart) rows = read_rows(static_cast<std::uint16_t>(apart ? wanted[c] : 0), row);
      for (std::size_t y = 0; y < page_.height; ++y) {
        for (std::size_t x = 0; x < page_.width; ++x) {
          unsigned char* to = &out.bytes[((y * page_.width + x) * channels + c) * size];
          convert(rows.data() + y * row, x * stored + (apart ? 0 : wanted[c]), to);
        }
      }
    }
    return out;
  }

  /// Chooses the type of `out`; returns the bytes of one sample.
  std::size_t sample_bytes(Image& out) {
    const bool whole = page_.format == SAMPLEFORMAT_UINT || page_.format == SAMPLEFORMAT_VOID;
    const bool number = whole || page_.format == SAMPLEFORMAT_INT;
    if (whole && (page_.bits == 1 || page_.bits == 2 || page_.bits == 4 || page_.bits == 8)) {
      out.type = SampleType::u8;
      return 1;
    }
    if (whole && page_.bits == 16) {
      out.type = SampleType::u16;
      return 2;
    }
    const bool real = page_.format == SAMPLEFORMAT_IEEEFP &&
                      (page_.bits == 16 || page_.bits == 32 || page_.bits == 64);
    if (!real && !(number && (page_.bits == 8 || page_.bits == 16 || page_.bits == 32))) {
      refuse("its samples (bits)", page_.bits);
    }
    out.type = SampleType::f32;
    return 4;
  }

  template <class Stored>
  static void convert_number(const unsigned char* row, std::size_t index, unsigned char* to) {
    Stored value{};
    std::memcpy(&value, row + index * sizeof(Stored), sizeof(Stored));
    const auto out = static_cast<float>(value);
    std::memcpy(to, &out, sizeof(out));
  }

  static void convert_half(const unsigned char* row, std::size_t index, unsigned char* to) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, row + 2 * index, sizeof(bits));
    const auto out = static_cast<float>(half_to_double(bits));
    std::memcpy(to, &out, sizeof(out));
  }

  /// Sample `index` of a row in the output's type; less than 8 bits are spread over 0..255.
  void convert(const unsigned char* row, std::size_t index, unsigned char* to) const {
    const bool whole = page_.format == SAMPLEFORMAT_UINT || page_.format == SAMPLEFORMAT_VOID;
    if (whole && page_.bits < 8) {
      const unsigned most = (1U << page_.bits) - 1;
      *to = static_cast<unsigned char>(bits_at(row, index) * 255U / most);
    } else if (whole && page_.bits <= 16) {
      std::memcpy(to, row + index * page_.bits / 8, page_.bits / 8);
    } else if (page_.format == SAMPLEFORMAT_IEEEFP) {
      page_.bits == 16   ? convert_half(row, index, to)
      : page_.bits == 32 ? convert_number<float>(row, index, to)
                         : convert_number<double>(row, index, to);
    } else if (whole) {
      convert_number<std::uint32_t>(row, index, to);
    } else {
      page_.bits == 8    ? convert_number<std::int8_t>(row, index, to)
      : page_.bits == 16 ? convert_number<std::int16_t>(row, index, to)
                         : convert_number<std::int32_t>(row, index, to);
    }
  }

  [[nodiscard]] unsigned bits_at(const unsigned char* row, std::size_t index) const {
    const std::size_t bit = index * page_.bits;
    const unsigned shift = 8U - page_.bits - static_cast<unsigned>(bit % 8);
    return (row[bit / 8] >> shift) & ((1U << page_.bits) - 1);
  }

  void read_palette(DecodedImage& out) {
    std::uint16_t* red = nullptr;
    std::uint16_t* green = nullptr;
    std::uint16_t* blue = nullptr;
    if (TIFFGetField(tiff_.get(), TIFFTAG_COLORMAP, &red, &green, &blue) == 0) {
      throw_failure(concat(file_, ": broken TIFF: a palette image without palette"));
    }
    const std::size_t count = std::size_t{1} << page_.bits;
    // Some programs write 255 as 65280, some as 65535, some as 255.
    const auto small = [&](const std::uint16_t* of) {
      return std::all_of(of, of + count, [](std::uint16_t v) { return v < 256; });
    };
    const unsigned divisor = small(red) && small(green) && small(blue) ? 1 : 256;
    for (std::size_t i = 0; i < count; ++i) {
      out.palette.push_back({static_cast<std::uint8_t>(red[i] / divisor),
                             static_cast<std::uint8_t>(green[i] / divisor),
                             static_cast<std::uint8_t>(blue[i] / divisor)});
    }
    const std::size_t row = row_bytes(1);
    const std::vector<unsigned char> rows = read_rows(0, row);
    Image indices{.width = page_.width, .height = page_.height, .channels = 1, .bytes = {}};
    indices.bytes.resize(std::size_t{page_.width} * page_.height);
    for (std::size_t y = 0; y < page_.height; ++y) {
      for (std::size_t x = 0; x < page_.width; ++x) {
        const unsigned char* from = rows.data() + y * row;
        indices.bytes[y * page_.width + x] =
            page_.bits == 8 ? from[x] : static_cast<unsigned char>(bits_at(from, x));
      }
    }
    indices = oriented(std::move(indices), page_.orientation);
    page_.orientation = 1;
    expand_palette(file_, std::move(indices), out);
  }

  /// Colours that libtiff converts (JPEG inside), upright already.
  Image read_as_rgb() {
    const ImageSize size{page_.width, page_.height};
    std::vector<std::uint32_t> pixels(std::size_t{page_.width} * page_.height);
    if (TIFFReadRGBAImageOriented(tiff_.get(), page_.width, page_.height, pixels.data(),
                                  ORIENTATION_TOPLEFT, 1) == 0) {
      fail();
    }
    Image out{.width = size.width, .height = size.height, .channels = 3, .bytes = {}};
    out.bytes.reserve(pixels.size() * 3);
    for (const std::uint32_t pixel : pixels) {
      out.bytes.push_back(static_cast<unsigned char>(TIFFGetR(pixel)));
      out.bytes.push_back(static_cast<unsigned char>(TIFFGetG(pixel)));
      out.bytes.push_back(static_cast<unsigned char>(TIFFGetB(pixel)));
    }
    return out;
  }

  std::string file_;
  Memory memory_;
  std::unique_ptr<TIFF, CloseTiff> tiff_;
  Page page_;
};

}  // namespace

DecodedImage decode_tiff(const std::string& file, std::string_view bytes) {
  DecodedImage out = Reader(file, bytes).read_pixels();
  check_finite(file, out.image);
  return out;
}

ImageSize tiff_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read_header();
}

}  // namespace medurwkv::data
