// JPEG in, through libjpeg-turbo. Errors come by longjmp: everything that owns memory lives outside
// the frames that may be jumped over.
#include <cstddef>
#include <cstdio>
// jpeglib.h needs the two above.
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

struct ErrorState {
  jpeg_error_mgr manager{};
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> message{};
};

void jump_out(j_common_ptr info) {
  auto* state = reinterpret_cast<ErrorState*>(info->err);
  info->err->format_message(info, state->message.data());
  std::longjmp(state->jump, 1);  // NOLINT(cert-err52-cpp): libjpeg's protocol
}

/// Corrupt data are an error, not a warning with gray pixels.
void on_message(j_common_ptr info, int level) {
  if (level < 0) jump_out(info);
}

void print_nothing(j_common_ptr /*info*/) {}

class Reader {
 public:
  Reader(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = jump_out;
    errors_.manager.emit_message = on_message;
    errors_.manager.output_message = print_nothing;
    if (!guarded([](Reader& self) { jpeg_create_decompress(&self.info_); })) fail();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  Reader(Reader&&) = delete;
  Reader& operator=(Reader&&) = delete;
  ~Reader() { jpeg_destroy_decompress(&info_); }

  /// The size as it is to be seen.
  ImageSize read_header() {
    const auto read = [](Reader& self) {
      jpeg_save_markers(&self.info_, JPEG_APP0 + 1, 0xffff);
      jpeg_mem_src(&self.info_, reinterpret_cast<const unsigned char*>(self.bytes_.data()),
                   self.bytes_.size());
      jpeg_read_header(&self.info_, TRUE);
    };
    if (!guarded(read)) fail();
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const int found =
          exif_orientation({reinterpret_cast<const char*>(marker->data), marker->data_length});
      if (found != 1) orientation_ = found;
    }
    const ImageSize stored{info_.image_width, info_.image_height};
    check_size(file_, stored.width, stored.height, info_.num_components);
    return orientation_ >= 5 ? ImageSize{stored.height, stored.width} : stored;
  }

  Image read_pixels() {
    read_header();
    if (info_.num_components != 1 && info_.num_components != 3) {
      throw_failure(concat(file_, ": JPEG with ", info_.num_components,
                           " channels (CMYK) is not read; convert it to RGB"));
    }
    // Huffman coding needs a bit for each block of 8 x 8 pixels; arithmetic coding has no such
    // bound.
    const std::int64_t most = info_.arith_code != FALSE
                                  ? PixelClaim::any_pixels
                                  : static_cast<std::int64_t>(bytes_.size()) * 8 * 64;
    // In several scans libjpeg keeps every coefficient in two bytes.
    const bool scans = jpeg_has_multiple_scans(&info_) != FALSE;
    const std::int64_t copies = 1 + (orientation_ > 1 ? 1 : 0) + (scans ? 2 : 0);
    const MemoryClaim claim = claim_pixels(file_, {.size = {info_.image_width, info_.image_height},
                                                   .bytes_per_pixel = copies * info_.num_components,
                                                   .most = most});
    Image image{.width = info_.image_width,
                .height = info_.image_height,
                .channels = info_.num_components,
                .bytes = {}};
    info_.out_color_space = info_.num_components == 3 ? JCS_RGB : JCS_GRAYSCALE;
    const auto row = static_cast<std::size_t>(image.width * image.channels);
    image.bytes.resize(row * static_cast<std::size_t>(image.height));
    rows_.resize(static_cast<std::size_t>(image.height));
    for (std::size_t y = 0; y < rows_.size(); ++y) rows_[y] = image.bytes.data() + y * row;
    const auto read = [](Reader& self) {
      jpeg_start_decompress(&self.info_);
      while (self.info_.output_scanline < self.info_.output_height) {
        const JDIMENSION at = self.info_.output_scanline;
        jpeg_read_scanlines(&self.info_, self.rows_.data() + at, self.info_.output_height - at);
      }
      jpeg_finish_decompress(&self.info_);
    };
    if (!guarded(read)) fail();
    return oriented(std::move(image), orientation_);
  }

 private:
  using Body = void (*)(Reader&);

  /// Runs `body`, which owns nothing; false when libjpeg jumped out of it.
  bool guarded(Body body) {
    if (setjmp(errors_.jump) != 0) return false;  // NOLINT(cert-err52-cpp): libjpeg's protocol
    body(*this);
    return true;
  }

  [[noreturn]] void fail() {
    throw_failure(concat(file_, ": broken JPEG: ", errors_.message.data()));
  }

  std::string file_;
  std::string_view bytes_;
  ErrorState errors_;
  jpeg_decompress_struct info_{};
  std::vector<JSAMPROW> rows_;
  int orientation_ = 1;
};

}  // namespace

int exif_orientation(std::string_view block) {
  constexpr std::string_view magic("Exif\0\0", 6);
  if (!block.starts_with(magic)) return 1;
  const std::string_view tiff = block.substr(magic.size());
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I';
  const auto number = [&](std::size_t at, std::size_t bytes) -> std::size_t {
    if (bytes > tiff.size() || at > tiff.size() - bytes) return 0;
    std::size_t out = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto byte = static_cast<unsigned char>(tiff[at + (little ? bytes - 1 - i : i)]);
      out = out << 8 | byte;
    }
    return out;
  };
  const std::size_t directory = number(4, 4);
  const std::size_t entries = number(directory, 2);
  constexpr std::size_t orientation_tag = 0x0112;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number(entry, 2) != orientation_tag) continue;
    const std::size_t value = number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image decode_jpeg(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read_pixels();
}

ImageSize jpeg_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read_header();
}

}  // namespace medurwkv::data
