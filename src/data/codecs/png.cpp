// PNG in and out, through libpng. libpng reports errors by longjmp: everything that owns memory
// lives outside the frames that may be jumped over.
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

/// State that libpng's callbacks reach.
struct Source {
  std::string_view rest;
  std::array<char, 128> message{};
};

void keep_message(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->message.data(), message, source->message.size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp /*png*/, png_const_charp /*message*/) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (count > source->rest.size()) png_error(png, "the file ends too early");
  std::memcpy(to, source->rest.data(), count);
  source->rest.remove_prefix(count);
}

class Reader {
 public:
  Reader(std::string file, std::string_view bytes)
      : file_(std::move(file)), bytes_(bytes.size()), source_{.rest = bytes} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, keep_message, ignore_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw_failure(concat(file_, ": out of memory for libpng"));
    }
    png_set_read_fn(png_, &source_, read_bytes);
    png_set_user_limits(png_, 0x7fffffff, 0x7fffffff);
    png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
    // -1: all chunks that pixels do not need. Texts and profiles unpack to megabytes each.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  Reader(Reader&&) = delete;
  Reader& operator=(Reader&&) = delete;
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  ImageSize read_header() {
    if (!guarded([](Reader& self) { png_read_info(self.png_, self.info_); })) fail();
    const ImageSize size{png_get_image_width(png_, info_), png_get_image_height(png_, info_)};
    check_size(file_, size.width, size.height,
               std::int64_t{png_get_channels(png_, info_)} *
                   (png_get_bit_depth(png_, info_) == 16 ? 2 : 1));
    return size;
  }

  DecodedImage read_pixels() {
    const ImageSize size = read_header();
    DecodedImage out;
    const int type = png_get_color_type(png_, info_);
    const bool palette = type == PNG_COLOR_TYPE_PALETTE;
    const int depth = png_get_bit_depth(png_, info_);
    // Deflate packs 258 bytes into 2 bits at best (RFC 1951).
    constexpr std::int64_t best_packing = 1032;
    const auto bits = std::int64_t{png_get_channels(png_, info_)} * depth;
    const std::int64_t sample = depth == 16 ? 2 : 1;
    const MemoryClaim claim = claim_pixels(
        file_, {.size = size,
                .bytes_per_pixel = palette ? 4 : sample * png_get_channels(png_, info_),
                .most = static_cast<std::int64_t>(bytes_) * best_packing * 8 / bits});
    if (!guarded(palette ? unpack_palette : unify_samples)) fail();
    out.image.width = size.width;
    out.image.height = size.height;
    out.image.type = depth == 16 ? SampleType::u16 : SampleType::u8;
    const bool alpha = (type & PNG_COLOR_MASK_ALPHA) != 0;
    out.image.channels = (palette || (type & PNG_COLOR_MASK_COLOR) == 0 ? 1 : 3) + (alpha ? 1 : 0);
    const std::size_t row = png_get_rowbytes(png_, info_);
    const auto samples = static_cast<std::size_t>(size.width * out.image.channels);
    if (row != samples * (depth == 16 ? 2 : 1)) throw_internal("unexpected PNG row size");
    out.image.bytes.resize(row * static_cast<std::size_t>(size.height));
    rows_.resize(static_cast<std::size_t>(size.height));
    for (std::size_t y = 0; y < rows_.size(); ++y) rows_[y] = out.image.bytes.data() + y * row;
    const auto read_all = [](Reader& self) {
      png_read_image(self.png_, self.rows_.data());
      png_read_end(self.png_, nullptr);
    };
    if (!guarded(read_all)) fail();
    if (palette) {
      out.palette = palette_colors();
      expand_palette(file_, std::move(out.image), out);
      out.alpha_varies = transparency_varies(out.indices);
    } else if (alpha) {
      drop_alpha(out);
    }
    return out;
  }

 private:
  using Body = void (*)(Reader&);

  /// Runs `body`, which owns nothing; false when libpng jumped out of it.
  bool guarded(Body body) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;  // NOLINT(cert-err52-cpp): libpng's protocol
    body(*this);
    return true;
  }

  [[noreturn]] void fail() {
    throw_failure(concat(file_, ": broken PNG: ", source_.message.data()));
  }

  static void unpack_palette(Reader& self) {
    png_set_packing(self.png_);
    png_set_interlace_handling(self.png_);
    png_read_update_info(self.png_, self.info_);
  }

  static void unify_samples(Reader& self) {
    png_set_expand_gray_1_2_4_to_8(self.png_);
    png_set_swap(self.png_);
    png_set_interlace_handling(self.png_);
    png_read_update_info(self.png_, self.info_);
  }

  std::vector<Color> palette_colors() {
    png_colorp colors = nullptr;
    int count = 0;
    png_get_PLTE(png_, info_, &colors, &count);
    std::vector<Color> out;
    for (int i = 0; i < count; ++i) out.push_back({colors[i].red, colors[i].green, colors[i].blue});
    return out;
  }

  /// Whether the palette's colours in use are not equally transparent.
  bool transparency_varies(const std::vector<std::uint8_t>& indices) {
    png_bytep alpha = nullptr;
    int count = 0;
    if (png_get_tRNS(png_, info_, &alpha, &count, nullptr) == 0) return false;
    const auto of = [&](std::uint8_t index) { return index < count ? int{alpha[index]} : 255; };
    return std::any_of(indices.begin(), indices.end(),
                       [&](std::uint8_t index) { return of(index) != of(indices.front()); });
  }

  std::string file_;
  std::size_t bytes_;
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<png_bytep> rows_;
};

void append_bytes(png_structp png, png_bytep from, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(from), count);
}

void nothing_to_flush(png_structp /*png*/) {}

/// Everything a PNG needs, prepared before libpng may jump.
struct Canvas {
  ImageSize size;
  int color_type = PNG_COLOR_TYPE_GRAY;
  int depth = 8;
  std::vector<png_color> palette;
  std::vector<png_bytep> rows;
  Packing packing = Packing::small;
};

/// False when libpng jumped.
bool write_canvas(png_structp png, png_infop info, Canvas& canvas) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT(cert-err52-cpp): libpng's protocol
  if (canvas.packing == Packing::fast) {
    png_set_compression_level(png, 1);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
  }
  png_set_IHDR(png, info, static_cast<png_uint_32>(canvas.size.width),
               static_cast<png_uint_32>(canvas.size.height), canvas.depth, canvas.color_type,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!canvas.palette.empty()) {
    png_set_PLTE(png, info, canvas.palette.data(), static_cast<int>(canvas.palette.size()));
  }
  png_write_info(png, info);
  if (canvas.depth == 16) png_set_swap(png);  // a PNG's samples are big endian, ours little
  png_write_image(png, canvas.rows.data());
  png_write_end(png, nullptr);
  return true;
}

std::string encode(Canvas& canvas, const unsigned char* pixels, std::size_t row_bytes) {
  std::string out;
  Source errors;
  for (std::int64_t y = 0; y < canvas.size.height; ++y) {
    // libpng's interface is not const-correct; it only reads.
    canvas.rows.push_back(const_cast<png_bytep>(pixels) + static_cast<std::size_t>(y) * row_bytes);
  }
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors, keep_message, ignore_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr) {
    png_destroy_write_struct(&png, nullptr);
    throw_failure("out of memory for libpng");
  }
  png_set_write_fn(png, &out, append_bytes, nothing_to_flush);
  const bool written = write_canvas(png, info, canvas);
  png_destroy_write_struct(&png, &info);
  if (!written) throw_failure(concat("PNG could not be made: ", errors.message.data()));
  return out;
}

}  // namespace

DecodedImage decode_png(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read_pixels();
}

ImageSize png_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read_header();
}

std::string encode_png(const Image& image, Packing packing) {
  if (image.type == SampleType::f32 || (image.channels != 1 && image.channels != 3)) {
    throw_internal("only gray and RGB images of 8 and 16 bits are written as PNG");
  }
  const bool wide = image.type == SampleType::u16;
  Canvas canvas{.size = {image.width, image.height},
                .color_type = image.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                .depth = wide ? 16 : 8,
                .palette = {},
                .rows = {},
                .packing = packing};
  return encode(canvas, image.bytes.data(),
                static_cast<std::size_t>(image.width * image.channels * (wide ? 2 : 1)));
}

std::string encode_png(const LabelMap& labels, const std::vector<ClassInfo>& classes) {
  Canvas canvas{.size = {labels.width, labels.height},
                .color_type = PNG_COLOR_TYPE_PALETTE,
                .palette = std::vector<png_color>(256),
                .rows = {}};
  for (std::size_t i = 0; i < classes.size() && i < canvas.palette.size(); ++i) {
    const auto& [red, green, blue] = classes[i].color;
    canvas.palette[i] = {red, green, blue};
  }
  return encode(canvas, labels.labels.data(), static_cast<std::size_t>(labels.width));
}

}  // namespace medurwkv::data
