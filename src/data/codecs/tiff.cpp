// TIFF in, through libtiff. libtiff reports by handler and return value; every Reader
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

/// What libtiff reads, and its last message.
struct Source {
  explicit Source(FileBytes from) : bytes(std::move(from)) {}
  FileBytes bytes;
  std::uint64_t at = 0;
  std::string message;
};

tmsize_t read_bytes(thandle_t handle, void* to, tmsize_t count) {
  auto* source = static_cast<Source*>(handle);
  if (count <= 0 || source->at >= source->bytes.size()) return 0;
  const auto wanted = static_cast<std::uint64_t>(count);
  const std::uint64_t got = std::min<std::uint64_t>(wanted, source->bytes.size() - source->at);
  if (!source->bytes.read(source->at, {static_cast<char*>(to), got})) return 0;
  source->at += got;
  return static_cast<tmsize_t>(got);
}

tmsize_t write_nothing(thandle_t /*handle*/, void* /*from*/, tmsize_t /*count*/) {
  return 0;
}

toff_t seek(thandle_t handle, toff_t to, int from) {
  auto* source = static_cast<Source*>(handle);
  if (from == SEEK_CUR) to += source->at;
  if (from == SEEK_END) to += source->bytes.size();
  source->at = to;
  return to;
}

int close_nothing(thandle_t /*handle*/) {
  return 0;
}

toff_t size_of_source(thandle_t handle) {
  return static_cast<Source*>(handle)->bytes.size();
}

int keep_message(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format,
                 std::va_list values) {
  std::array<char, 256> text{};
  std::vsnprintf(text.data(), text.size(), format, values);
  static_cast<Source*>(user)->message = text.data();
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
  Reader(std::string file, FileBytes bytes) : file_(std::move(file)), source_(std::move(bytes)) {
    TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
    if (options == nullptr) throw_failure(concat(file_, ": out of memory for libtiff"));
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, decoded_limit);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_message, &source_);
    TIFFOpenOptionsSetWarningHandlerExtR(options, drop_warning, nullptr);
    // m: no mapping of memory; O: offsets of strips are read when they are wanted.
    tiff_.reset(TIFFClientOpenExt(file_.c_str(), "rm", &source_, read_bytes, write_nothing, seek,
                                  close_nothing, size_of_source, nullptr, nullptr, options));
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
    const bool swapped = page_.orientation >= 5 && page_.orientation <= 8;
    return swapped ? ImageSize{page_.height, page_.width} : ImageSize{page_.width, page_.height};
  }

  /// Throws Error for a size that is not decoded as a whole.
  ImageSize read_checked_header() {
    const ImageSize size = read_header();
    const std::int64_t sample_bytes = page_.bits <= 8 ? 1 : page_.bits <= 16 ? 2 : 4;
    check_size(file_, page_.width, page_.height, sample_bytes * page_.samples);
    return size;
  }

  DecodedImage read_pixels() {
    read_checked_header();
    const MemoryClaim claim = claim_pixels(file_, pixel_claim());
    DecodedImage out;
    if (page_.photometric == PHOTOMETRIC_YCBCR) {
      out.image = read_as_rgb();
      out.lossy = true;
      return out;
    }
    begin_pixels(true);
    out = read_rows(0, page_.height);
    out.lossy = page_.compression == COMPRESSION_JPEG || page_.compression == COMPRESSION_OJPEG;
    if (!out.indices.empty()) {
      Image indices{.width = out.image.width,
                    .height = out.image.height,
                    .channels = 1,
                    .bytes = std::move(out.indices)};
      out.indices = oriented(std::move(indices), page_.orientation).bytes;
    }
    out.image = oriented(std::move(out.image), page_.orientation);
    return out;
  }

  /// Whether the picture comes out row by row as read_pixels gives it. libtiff turns JPEG's YCbCr
  /// into RGB row by row, as it does for the whole.
  bool has_rows() {
    if (page_.photometric == PHOTOMETRIC_YCBCR && page_.compression == COMPRESSION_JPEG &&
        page_.planar == PLANARCONFIG_CONTIG && page_.samples == 3) {
      TIFFSetField(tiff_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      page_.photometric = PHOTOMETRIC_RGB;
    }
    return page_.orientation == 1 && page_.photometric != PHOTOMETRIC_YCBCR;
  }

  /// The most pixels that the file's bytes can hold. Throws Error for a tile of more.
  std::int64_t most_pixels() {
    std::int64_t best = 100000;  // CCITT, Zstandard, LZMA, WebP
    if (page_.compression == COMPRESSION_NONE) best = 1;
    if (page_.compression == COMPRESSION_PACKBITS) best = 64;
    if (page_.compression == COMPRESSION_LZW) best = 2800;
    if (page_.compression == COMPRESSION_ADOBE_DEFLATE ||
        page_.compression == COMPRESSION_DEFLATE) {
      best = 1032;
    }
    const std::int64_t bits = std::int64_t{page_.bits} * page_.samples;
    const std::int64_t most = static_cast<std::int64_t>(source_.bytes.size()) * best * 8 /
                              std::max<std::int64_t>(bits, 1);
    const auto [width, height] = tile_size();
    if (height > 0 && width > most / height) {
      throw_failure(concat(file_, ": claims tiles of ", width, " x ", height,
                           " pixels, more than a file of its size can hold"));
    }
    return most;
  }

  /// To be called once, between the header and the first row: what is read of each pixel. Alpha is
  /// read, to be compared and dropped, where `compare_alpha` says so.
  void begin_pixels(bool compare_alpha) {
    const bool gray =
        page_.photometric == PHOTOMETRIC_MINISBLACK || page_.photometric == PHOTOMETRIC_MINISWHITE;
    const bool rgb = page_.photometric == PHOTOMETRIC_RGB && page_.samples >= 3;
    if (page_.photometric == PHOTOMETRIC_PALETTE && page_.samples == 1 && page_.bits <= 8) {
      palette_ = palette_colors();
      wanted_ = {0};
    } else if (gray || rgb) {
      choose_samples(gray ? 1 : 3, compare_alpha);
      type_ = sample_type();
    } else {
      refuse("its colours (photometric interpretation)", page_.photometric);
    }
  }

  /// The pixels' form as read_rows gives them, before they are turned.
  [[nodiscard]] ImageForm form() const {
    const std::size_t channels = is_palette() ? 3 : wanted_.size() - (drops_alpha_ ? 1 : 0);
    return {page_.width, page_.height, static_cast<std::int64_t>(channels), type_};
  }

  /// `count` rows from `first`.
  DecodedImage read_rows(std::uint32_t first, std::uint32_t count) {
    DecodedImage out;
    Image& image = out.image;
    image = {.width = page_.width,
             .height = count,
             .channels = static_cast<std::int64_t>(wanted_.size()),
             .type = type_,
             .bytes = {}};
    const auto row = static_cast<std::size_t>(form_of(image).row_bytes());
    image.bytes.resize(row * count);
    for (std::uint32_t y = 0; y < count; ++y) {
      convert_row(first + y, image.bytes.data() + y * row, row / page_.width / wanted_.size());
    }
    if (is_palette()) {
      out.palette = palette_;
      expand_palette(file_, std::move(image), out);
      return out;
    }
    if (drops_alpha_) drop_alpha(out);
    if (page_.photometric == PHOTOMETRIC_MINISWHITE) {
      for (unsigned char& byte : image.bytes) byte = static_cast<unsigned char>(~byte);
    }
    check_finite(file_, image);
    return out;
  }

  /// Bytes that read_rows takes for `rows` rows beside those that it gives: a stripe, what libtiff
  /// reads of the file for it, and a palette's indices.
  std::int64_t memory(std::int64_t rows) {
    const bool apart = is_apart();
    const auto row = static_cast<std::int64_t>(row_bytes(apart ? 1 : page_.samples));
    const auto [width, height] = tile_size();
    std::int64_t stripe = row * (apart ? std::ssize(wanted_) : 1);
    std::int64_t stored = 0;
    if (height > 0) {
      stripe *= std::min<std::int64_t>(height, page_.height);
      stored = 2 * static_cast<std::int64_t>(TIFFTileSize(tiff_.get()));
    } else {
      stored = row * strip_rows();
      if (apart) stripe *= strip_rows();
    }
    constexpr std::int64_t buffers = 1'000'000;
    return stripe + std::min<std::int64_t>(stored, 2 * source_.bytes.size()) + buffers +
           (is_palette() ? rows * page_.width : 0);
  }

 private:
  [[noreturn]] void fail() {
    source_.bytes.throw_if_failed();
    throw_failure(concat(file_, ": broken TIFF: ",
                         source_.message.empty() ? "it cannot be read" : shown(source_.message)));
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
    source_.message.clear();
    if (TIFFSetDirectory(tiff_.get(), 0) == 0) fail();
  }

  [[nodiscard]] bool is_palette() const { return !palette_.empty(); }
  [[nodiscard]] bool is_apart() const {
    return page_.planar == PLANARCONFIG_SEPARATE && page_.samples > 1;
  }

  /// 0 x 0 where the page has strips.
  ImageSize tile_size() {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    if (TIFFIsTiled(tiff_.get()) != 0) {
      TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &width);
      TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &height);
    }
    return {width, height};
  }

  /// Rows of a strip.
  std::int64_t strip_rows() {
    std::uint32_t rows = 0;
    TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_ROWSPERSTRIP, &rows);
    return std::clamp<std::int64_t>(rows, 1, page_.height);
  }

  /// A tile claims its pixels, too, and may claim more than the picture: it is unpacked whole.
  PixelClaim pixel_claim() {
    const std::int64_t most = most_pixels();
    const auto [width, height] = tile_size();
    const std::int64_t bits = std::int64_t{page_.bits} * page_.samples;
    // Rows as they are stored, the image, and a copy of it; colours that libtiff converts take 7.
    const std::int64_t sample = page_.bits <= 8 ? 1 : page_.bits <= 16 ? 2 : 4;
    const std::int64_t image = std::max<std::int64_t>(sample * page_.samples, 3);
    const std::int64_t tile = width * height * ((bits + 7) / 8);
    const std::int64_t pixels = std::int64_t{page_.width} * page_.height;
    return {.size = {page_.width, page_.height},
            .bytes_per_pixel = (bits + 7) / 8 + 2 * image + tile / pixels,
            .most = most};
  }

  /// Sample `wanted_[c]` of the pixels of row `y`, `size` bytes each, to `to` with channel c.
  void convert_row(std::uint32_t y, unsigned char* to, std::size_t size) {
    if (y < stripe_.first || y >= stripe_.first + stripe_.rows) load_stripe(y);
    const bool apart = is_apart();
    const auto stored = static_cast<std::size_t>(apart ? 1 : page_.samples);
    const std::size_t begin = (y - stripe_.first) * row_bytes(stored);
    const std::size_t channels = wanted_.size();
    for (std::size_t c = 0; c < channels; ++c) {
      const unsigned char* row = stripe_.planes[apart ? c : 0].data() + begin;
      for (std::size_t x = 0; x < page_.width; ++x) {
        const std::size_t index = x * stored + (apart ? 0 : wanted_[c]);
        unsigned char* sample = to + (x * channels + c) * size;
        if (is_palette()) {
          *sample = static_cast<unsigned char>(page_.bits == 8 ? row[index] : bits_at(row, index));
        } else {
          convert(row, index, sample);
        }
      }
    }
  }

  /// Reads the rows around `y` that come together: those of a row of tiles, of the strips of planes
  /// that are apart (going to and fro between them, libtiff unpacks whole strips), else one.
  void load_stripe(std::uint32_t y) {
    const bool apart = is_apart();
    const std::size_t row = row_bytes(apart ? 1 : page_.samples);
    const auto [tile_width, tile_height] = tile_size();
    if (tile_width > 0 ? tile_height == 0
                       : TIFFScanlineSize(tiff_.get()) != static_cast<tmsize_t>(row)) {
      fail();
    }
    const auto together = static_cast<std::uint32_t>(tile_width > 0 ? tile_height
                                                     : apart        ? strip_rows()
                                                                    : 1);
    stripe_.first = y / together * together;
    stripe_.rows = 0;  // until all of it is there
    const std::uint32_t rows = std::min(together, page_.height - stripe_.first);
    stripe_.planes.resize(apart ? wanted_.size() : 1);
    for (std::size_t c = 0; c < stripe_.planes.size(); ++c) {
      const auto plane = static_cast<std::uint16_t>(apart ? wanted_[c] : 0);
      std::vector<unsigned char>& out = stripe_.planes[c];
      out.resize(row * rows);
      if (tile_width > 0) {
        read_tiles(plane, row, out);
      } else if (apart) {
        const std::uint32_t strip = TIFFComputeStrip(tiff_.get(), y, plane);
        const auto size = static_cast<tmsize_t>(out.size());
        if (TIFFReadEncodedStrip(tiff_.get(), strip, out.data(), size) != size) fail();
      } else if (TIFFReadScanline(tiff_.get(), out.data(), y, plane) != 1) {
        fail();
      }
    }
    stripe_.rows = rows;
  }

  /// The tiles of the stripe's rows. They are whole bytes wide: their width is a multiple of 16.
  void read_tiles(std::uint16_t plane, std::size_t row, std::vector<unsigned char>& out) {
    const auto [width, height] = tile_size();
    const auto tile_row = static_cast<std::size_t>(TIFFTileRowSize(tiff_.get()));
    const auto tile_bytes = static_cast<std::size_t>(TIFFTileSize(tiff_.get()));
    if (width == 0 || width % 16 != 0 || height == 0 || tile_row == 0 ||
        tile_bytes / tile_row < static_cast<std::size_t>(height) ||
        tile_bytes > static_cast<std::size_t>(decoded_limit)) {
      fail();
    }
    std::vector<unsigned char> tile(tile_bytes);
    for (std::uint32_t x = 0; x < page_.width; x += static_cast<std::uint32_t>(width)) {
      if (TIFFReadTile(tiff_.get(), tile.data(), x, stripe_.first, 0, plane) < 0) fail();
      const std::size_t left = x / static_cast<std::uint32_t>(width) * tile_row;
      if (left >= row) fail();
      const std::size_t count = std::min(tile_row, row - left);
      for (std::size_t line = 0; line * row < out.size(); ++line) {
        std::memcpy(out.data() + line * row + left, tile.data() + line * tile_row, count);
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

  /// All samples of a pixel but alpha; where alpha is to be compared, the first such one behind
  /// them.
  void choose_samples(std::size_t colors, bool compare_alpha) {
    const std::vector<bool> alpha = alpha_samples(colors);
    for (std::size_t i = 0; i < alpha.size(); ++i) {
      if (!alpha[i]) wanted_.push_back(i);
    }
    if (wanted_.size() > static_cast<std::size_t>(most_channels)) {
      throw_failure(concat(file_, ": has ", wanted_.size(), " channels; at most ", most_channels,
                           " are read"));
    }
    if (page_.photometric == PHOTOMETRIC_MINISWHITE) {
      if (sample_type() == SampleType::f32) {
        refuse("its float samples with white as 0", page_.format);
      }
      if (wanted_.size() > 1) {
        throw_failure(concat(file_, ": has ", wanted_.size(),
                             " channels with white as 0, which are not read; save them with black "
                             "as 0"));
      }
    }
    const auto found = std::find(alpha.begin(), alpha.end(), true);
    drops_alpha_ = compare_alpha && found != alpha.end();
    if (drops_alpha_) wanted_.push_back(static_cast<std::size_t>(found - alpha.begin()));
  }

  /// What the samples become. Throws Error for those that are not read.
  SampleType sample_type() {
    const bool whole = page_.format == SAMPLEFORMAT_UINT || page_.format == SAMPLEFORMAT_VOID;
    const bool number = whole || page_.format == SAMPLEFORMAT_INT;
    if (whole && (page_.bits == 1 || page_.bits == 2 || page_.bits == 4 || page_.bits == 8)) {
      return SampleType::u8;
    }
    if (whole && page_.bits == 16) return SampleType::u16;
    const bool real = page_.format == SAMPLEFORMAT_IEEEFP &&
                      (page_.bits == 16 || page_.bits == 32 || page_.bits == 64);
    if (!real && !(number && (page_.bits == 8 || page_.bits == 16 || page_.bits == 32))) {
      refuse("its samples (bits)", page_.bits);
    }
    return SampleType::f32;
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

  std::vector<Color> palette_colors() {
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
    std::vector<Color> out;
    for (std::size_t i = 0; i < count; ++i) {
      out.push_back({static_cast<std::uint8_t>(red[i] / divisor),
                     static_cast<std::uint8_t>(green[i] / divisor),
                     static_cast<std::uint8_t>(blue[i] / divisor)});
    }
    return out;
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
  Source source_;
  std::unique_ptr<TIFF, CloseTiff> tiff_;
  Page page_;
  std::vector<Color> palette_;       ///< of an image of indices
  std::vector<std::size_t> wanted_;  ///< samples of a pixel that are read, in order
  bool drops_alpha_ = false;         ///< the last of them is alpha
  SampleType type_ = SampleType::u8;
  /// Rows as they are stored; by plane where planes are apart.
  struct {
    std::uint32_t first = 0, rows = 0;
    std::vector<std::vector<unsigned char>> planes;
  } stripe_;
};

class TiffRows : public ImageRows {
 public:
  explicit TiffRows(std::unique_ptr<Reader> reader)
      : ImageRows(reader->form()), reader_(std::move(reader)) {}

  [[nodiscard]] std::int64_t memory(std::int64_t rows) const override {
    return reader_->memory(rows);
  }

 private:
  Image read(std::int64_t first, std::int64_t count) override {
    return std::move(
        reader_->read_rows(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count))
            .image);
  }

  std::unique_ptr<Reader> reader_;
};

}  // namespace

DecodedImage decode_tiff(const std::string& file, std::string_view bytes) {
  return Reader(file, FileBytes(bytes)).read_pixels();
}

ImageSize tiff_size(const std::string& file, std::string_view bytes) {
  return Reader(file, FileBytes(bytes)).read_checked_header();
}

std::unique_ptr<ImageRows> tiff_rows(const std::string& file, FileBytes bytes) {
  auto reader = std::make_unique<Reader>(file, std::move(bytes));
  const ImageSize size = reader->read_header();
  if (!reader->has_rows()) return nullptr;
  check_rows(file, size, reader->most_pixels());
  reader->begin_pixels(false);
  return std::make_unique<TiffRows>(std::move(reader));
}

}  // namespace medurwkv::data
