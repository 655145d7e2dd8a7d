// PNG out, through libpng. libpng reports errors by longjmp: everything that owns memory lives
// outside the frames that may be jumped over.
#include "data/codecs/png_writer.h"

#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/read.h"

namespace medurwkv::data {

/// libpng's state. It appends to `made`, which is passed on outside of its frames.
struct PngWriter::State {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string made;
  std::array<char, 128> message{};
  PngForm form;
  std::vector<png_color> palette;
  const unsigned char* row = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State() { png_destroy_write_struct(&png, &info); }

  /// Runs `body`, which owns nothing. Throws Error where libpng jumped out of it.
  void guarded(void (*body)(State&)) {
    if (!ended_well(body)) throw_failure(concat("PNG could not be made: ", message.data()));
  }

 private:
  bool ended_well(void (*body)(State&)) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT(cert-err52-cpp): libpng's protocol
    body(*this);
    return true;
  }
};

namespace {

void keep_message(png_structp png, png_const_charp message) {
  auto* kept = static_cast<std::array<char, 128>*>(png_get_error_ptr(png));
  std::strncpy(kept->data(), message, kept->size() - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp /*png*/, png_const_charp /*message*/) {}

void append_bytes(png_structp png, png_bytep from, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(from), count);
}

void nothing_to_flush(png_structp /*png*/) {}

/// The PNG of rows that are in memory.
std::string encoded(const PngForm& form, const unsigned char* pixels, std::size_t row_bytes) {
  std::string out;
  PngWriter writer(form, [&](std::string_view bytes) { out += bytes; });
  for (std::int64_t y = 0; y < form.size.height; ++y) {
    writer.row({pixels + static_cast<std::size_t>(y) * row_bytes, row_bytes});
  }
  return out;
}

}  // namespace

PngWriter::PngWriter(const PngForm& form, AppendBytes append)
    : state_(std::make_unique<State>()), append_(std::move(append)) {
  State& state = *state_;
  state.form = form;
  if (form.labels != nullptr) {
    state.palette.resize(256);
    for (std::size_t i = 0; i < form.labels->size() && i < state.palette.size(); ++i) {
      const auto& [red, green, blue] = (*form.labels)[i].color;
      state.palette[i] = {red, green, blue};
    }
  }
  state.png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &state.message, keep_message, ignore_warning);
  state.info = state.png == nullptr ? nullptr : png_create_info_struct(state.png);
  if (state.info == nullptr) throw_failure("out of memory for libpng");
  png_set_write_fn(state.png, &state.made, append_bytes, nothing_to_flush);
  state.guarded([](State& self) {
    if (self.form.packing == Packing::fast) {
      png_set_compression_level(self.png, 1);
      png_set_filter(self.png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    }
    const int color_type = !self.palette.empty()     ? PNG_COLOR_TYPE_PALETTE
                           : self.form.channels == 3 ? PNG_COLOR_TYPE_RGB
                                                     : PNG_COLOR_TYPE_GRAY;
    png_set_IHDR(self.png, self.info, static_cast<png_uint_32>(self.form.size.width),
                 static_cast<png_uint_32>(self.form.size.height), self.form.wide ? 16 : 8,
                 color_type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (!self.palette.empty()) {
      png_set_PLTE(self.png, self.info, self.palette.data(), static_cast<int>(self.palette.size()));
    }
    png_write_info(self.png, self.info);
    if (self.form.wide) png_set_swap(self.png);  // a PNG's samples are big endian, ours little
  });
}

PngWriter::~PngWriter() = default;

void PngWriter::row(std::span<const unsigned char> samples) {
  State& state = *state_;
  const auto row_bytes = static_cast<std::size_t>(state.form.size.width * state.form.channels *
                                                  (state.form.wide ? 2 : 1));
  if (samples.size() != row_bytes || rows_ == state.form.size.height) {
    throw_internal("a row of another PNG");
  }
  state.row = samples.data();
  state.guarded([](State& self) { png_write_row(self.png, self.row); });
  if (++rows_ == state.form.size.height) {
    state.guarded([](State& self) { png_write_end(self.png, nullptr); });
  }
  if (state.made.empty()) return;
  append_(state.made);
  state.made.clear();
}

std::string encode_png(const Image& image, Packing packing) {
  if (image.type == SampleType::f32 || (image.channels != 1 && image.channels != 3)) {
    throw_internal("only gray and RGB images of 8 and 16 bits are written as PNG");
  }
  const bool wide = image.type == SampleType::u16;
  return encoded({.size = {image.width, image.height},
                  .channels = image.channels,
                  .wide = wide,
                  .packing = packing},
                 image.bytes.data(),
                 static_cast<std::size_t>(image.width * image.channels * (wide ? 2 : 1)));
}

std::string encode_png(const LabelMap& labels, const std::vector<ClassInfo>& classes) {
  return encoded({.size = {labels.width, labels.height}, .labels = &classes}, labels.labels.data(),
                 static_cast<std::size_t>(labels.width));
}

}  // namespace medurwkv::data
