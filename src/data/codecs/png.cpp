// PNG in, through libpng. libpng reports errors by longjmp: everything that owns memory
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

/// What libpng's callbacks reach when they fail.
struct Message {
  std::array<char, 128> text{};
};

/// And what they read.
struct Source : Message {
  explicit Source(FileBytes from) : bytes(std::move(from)) {}
  FileBytes bytes;
  std::uint64_t at = 0;
};

void keep_message(png_structp png, png_const_charp message) {
  auto* kept = static_cast<Message*>(png_get_error_ptr(png));
  std::strncpy(kept->text.data(), message, kept->text.size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp /*png*/, png_const_charp /*message*/) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (!source->bytes.read(source->at, {reinterpret_cast<char*>(to), count})) {
    png_error(png, "the file ends too early");
  }
  source->at += count;
}

class Reader {
 public:
  Reader(std::string file, FileBytes bytes) : file_(std::move(file)), source_(std::move(bytes)) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<Message*>(&source_),
                                  keep_message, ignore_warning);
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
    return {png_get_image_width(png_, info_), png_get_image_height(png_, info_)};
  }

  /// Throws Error for a size that is not decoded as a whole.
  ImageSize read_checked_header() {
    const ImageSize size = read_header();
    check_size(file_, size.width, size.height,
               std::int64_t{png_get_channels(png_, info_)} *
                   (png_get_bit_depth(png_, info_) == 16 ? 2 : 1));
    return size;
  }

  /// The most pixels that the file's bytes can hold.
  [[nodiscard]] std::int64_t most_pixels() const {
    // Deflate packs 258 bytes into 2 bits at best (RFC 1951).
    constexpr std::int64_t best_packing = 1032;
    const auto bits = std::int64_t{png_get_channels(png_, info_)} * png_get_bit_depth(png_, info_);
    return static_cast<std::int64_t>(source_.bytes.size()) * best_packing * 8 / bits;
  }

  [[nodiscard]] bool interlaced() const {
    return png_get_interlace_type(png_, info_) != PNG_INTERLACE_NONE;
  }

  DecodedImage read_pixels() {
    const ImageSize size = read_checked_header();
    const bool palette = is_palette();
    const std::int64_t sample = png_get_bit_depth(png_, info_) == 16 ? 2 : 1;
    const MemoryClaim claim = claim_pixels(
        file_, {.size = size,
                .bytes_per_pixel = palette ? 4 : sample * png_get_channels(png_, info_),
                .most = most_pixels()});
    begin_pixels();
    return read_rows(0, size.height);
  }

  /// To be called once, between the header and the first row.
  void begin_pixels() {
    if (!guarded(is_palette() ? unpack_palette : unify_samples)) fail();
  }

  /// The pixels' form as they are read, alpha or palette index and all.
  [[nodiscard]] ImageForm stored_form() const {
    const int type = png_get_color_type(png_, info_);
    const bool gray = is_palette() || (type & PNG_COLOR_MASK_COLOR) == 0;
    return {
        .width = png_get_image_width(png_, info_),
        .height = png_get_image_height(png_, info_),
        .channels = (gray ? 1 : 3) + (has_alpha() ? 1 : 0),
        .type = png_get_bit_depth(png_, info_) == 16 ? SampleType::u16 : SampleType::u8,
    };
  }
  /// And as they are given.
  [[nodiscard]] ImageForm form() const {
    ImageForm out = stored_form();
    if (is_palette()) out.channels = 3;
    if (has_alpha()) --out.channels;
    return out;
  }

  /// `count` rows from `first`, behind those that were read; of an interlaced file all.
  DecodedImage read_rows(std::int64_t first, std::int64_t count) {
    const ImageForm form = stored_form();
    DecodedImage out;
    out.image = {.width = form.width,
                 .height = count,
                 .channels = form.channels,
                 .type = form.type,
                 .bytes = {}};
    const auto row = static_cast<std::size_t>(form.row_bytes());
    if (row != png_get_rowbytes(png_, info_)) throw_internal("unexpected PNG row size");
    out.image.bytes.resize(row * static_cast<std::size_t>(count));
    rows_.resize(static_cast<std::size_t>(count));
    for (std::size_t y = 0; y < rows_.size(); ++y) rows_[y] = out.image.bytes.data() + y * row;
    ends_ = first + count == form.height;
    const auto read = [](Reader& self) {
      if (self.interlaced()) {
        png_read_image(self.png_, self.rows_.data());
      } else {
        png_read_rows(self.png_, self.rows_.data(), nullptr,
                      static_cast<png_uint_32>(self.rows_.size()));
      }
      if (self.ends_) png_read_end(self.png_, nullptr);
    };
    if (!guarded(read)) fail();
    if (is_palette()) {
      out.palette = palette_colors();
      expand_palette(file_, std::move(out.image), out);
      out.alpha_varies = transparency_varies(out.indices);
    } else if (has_alpha()) {
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
    source_.bytes.throw_if_failed();
    throw_failure(concat(file_, ": broken PNG: ", source_.text.data()));
  }

  [[nodiscard]] bool is_palette() const {
    return png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE;
  }
  [[nodiscard]] bool has_alpha() const {
    return (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0;
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
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<png_bytep> rows_;
  bool ends_ = false;
};

class PngRows : public ImageRows {
 public:
  explicit PngRows(std::unique_ptr<Reader> reader)
      : ImageRows(reader->form()), reader_(std::move(reader)) {}

  /// A palette's indices (alpha is dropped in place, its room stays), and what libpng keeps: three
  /// rows and its buffers.
  [[nodiscard]] std::int64_t memory(std::int64_t rows) const override {
    constexpr std::int64_t buffers = 100'000;
    const ImageForm stored = reader_->stored_form();
    const std::int64_t more = stored.channels == form().channels ? 0 : rows;
    return (more + 3) * stored.row_bytes() + buffers;
  }

 private:
  Image read(std::int64_t first, std::int64_t count) override {
    return std::move(reader_->read_rows(first, count).image);
  }

  std::unique_ptr<Reader> reader_;
};

}  // namespace

DecodedImage decode_png(const std::string& file, std::string_view bytes) {
  return Reader(file, FileBytes(bytes)).read_pixels();
}

ImageSize png_size(const std::string& file, std::string_view bytes) {
  return Reader(file, FileBytes(bytes)).read_checked_header();
}

std::unique_ptr<ImageRows> png_rows(const std::string& file, FileBytes bytes) {
  auto reader = std::make_unique<Reader>(file, std::move(bytes));
  const ImageSize size = reader->read_header();
  if (reader->interlaced()) return nullptr;
  check_rows(file, size, reader->most_pixels());
  reader->begin_pixels();
  return std::make_unique<PngRows>(std::move(reader));
}

}  // namespace medurwkv::data
