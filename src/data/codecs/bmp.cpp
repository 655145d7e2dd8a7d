// BMP in: Windows' and OS/2's bitmaps of 1, 4, 8, 16, 24 and 32 bits, with run lengths and bit
// fields. A reader of ours, because Debian has no small library for it. Format: BITMAPFILEHEADER,
// BITMAPCOREHEADER, BITMAPINFOHEADER to BITMAPV5HEADER of the Windows documentation.
#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

constexpr std::size_t file_header = 14;
constexpr std::uint32_t core_header = 12;
constexpr std::uint32_t info_header = 40;

enum Coding : std::uint32_t {
  plain = 0,
  run_length_8 = 1,
  run_length_4 = 2,
  fields = 3,
  alpha_fields = 6
};

class Reader {
 public:
  Reader(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {
    header_ = number<std::uint32_t>(file_header);
    if (header_ == core_header) {
      width_ = number<std::uint16_t>(18);
      height_ = number<std::uint16_t>(20);
      bits_ = number<std::uint16_t>(24);
    } else if (header_ >= info_header && header_ <= 124) {
      width_ = number<std::int32_t>(18);
      height_ = number<std::int32_t>(22);
      bits_ = number<std::uint16_t>(28);
      coding_ = number<std::uint32_t>(30);
      colors_ = number<std::uint32_t>(46);
    } else {
      fail(concat("its header claims ", header_, " bytes"));
    }
    top_down_ = height_ < 0;
    height_ = top_down_ ? -height_ : height_;
    check_size(file_, width_, height_, 3);
  }

  [[nodiscard]] ImageSize size() const { return {width_, height_}; }

  DecodedImage read() {
    const bool runs = coding_ == run_length_8 || coding_ == run_length_4;
    const bool masks = coding_ == fields || coding_ == alpha_fields;
    const bool known =
        bits_ == 1 || bits_ == 4 || bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32;
    if (!known || (coding_ != plain && !runs && !masks) ||
        (runs && bits_ != (coding_ == run_length_8 ? 8 : 4)) ||
        (masks && bits_ != 16 && bits_ != 32)) {
      throw_failure(concat(file_, ": is BMP of ", bits_, " bits and coding ", coding_,
                           ", which is not read; convert it to PNG"));
    }
    start_ = number<std::uint32_t>(10);
    if (start_ > bytes_.size()) fail("its pixels begin behind its end");
    if (!runs) check_rows();
    // Two bytes of a run paint 255 pixels at most, and may pass over others.
    const std::int64_t most = static_cast<std::int64_t>(bytes_.size()) * 128 + width_ * 4096;
    const MemoryClaim claim = claim_pixels(file_, {.size = size(),
                                                   .bytes_per_pixel = bits_ <= 8 ? 4 : 3,
                                                   .most = runs ? most : PixelClaim::any_pixels});
    DecodedImage out;
    if (bits_ <= 8) {
      out.palette = palette();
      expand_palette(file_, runs ? unpacked_runs() : indices(), out);
    } else {
      read_colors(out);
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw_failure(concat(file_, ": broken BMP: ", what));
  }

  template <class Number>
  [[nodiscard]] Number number(std::uint64_t at) const {
    if (!lies_within(at, sizeof(Number), bytes_.size())) fail("it ends within its header");
    return number_at<Number>(bytes_, at);
  }

  [[nodiscard]] std::vector<Color> palette() const {
    const std::size_t entry = header_ == core_header ? 3 : 4;
    const std::size_t most = std::size_t{1} << bits_;
    const std::size_t count = colors_ == 0 ? most : colors_;
    const std::size_t from = file_header + header_;
    if (count > most || !lies_within(from, count * entry, bytes_.size())) {
      fail("its palette is longer than its pixels can name, or than the file");
    }
    std::vector<Color> out;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = from + i * entry;
      out.push_back({byte(at + 2), byte(at + 1), byte(at)});
    }
    return out;
  }

  [[nodiscard]] std::uint8_t byte(std::size_t at) const {
    return static_cast<std::uint8_t>(bytes_[at]);
  }

  [[nodiscard]] Image blank(std::int64_t channels) const {
    Image out{.width = width_, .height = height_, .channels = channels, .bytes = {}};
    out.bytes.resize(static_cast<std::size_t>(width_ * height_ * channels));
    return out;
  }

  /// Where row y of the picture begins in the file: rows are whole words, the lowest comes first.
  [[nodiscard]] std::size_t row_at(std::int64_t y) const {
    const auto row = static_cast<std::size_t>((width_ * bits_ + 31) / 32 * 4);
    return start_ + row * static_cast<std::size_t>(top_down_ ? y : height_ - 1 - y);
  }

  void check_rows() const {
    const auto row = static_cast<std::size_t>((width_ * bits_ + 31) / 32 * 4);
    const auto used = static_cast<std::size_t>((width_ * bits_ + 7) / 8);
    const auto rows = static_cast<std::size_t>(height_);
    // The last row may lack its padding.
    if (!lies_within(start_, row * (rows - 1) + used, bytes_.size())) {
      fail(concat(width_, " x ", height_, " pixels of ", bits_, " bits do not fit into its ",
                  bytes_.size(), " bytes"));
    }
  }

  [[nodiscard]] Image indices() const {
    Image out = blank(1);
    const auto bits = static_cast<unsigned>(bits_);
    for (std::int64_t y = 0; y < height_; ++y) {
      const std::size_t row = row_at(y);
      for (std::int64_t x = 0; x < width_; ++x) {
        const auto bit = static_cast<std::size_t>(x) * bits;
        const unsigned shift = 8 - bits - static_cast<unsigned>(bit % 8);
        out.bytes[static_cast<std::size_t>(y * width_ + x)] =
            static_cast<unsigned char>((byte(row + bit / 8) >> shift) & ((1U << bits) - 1));
      }
    }
    return out;
  }

  /// What runs do not reach stays 0.
  [[nodiscard]] Image unpacked_runs() const {
    Image out = blank(1);
    std::size_t at = start_;
    std::int64_t x = 0;
    std::int64_t y = 0;
    const auto next = [&]() -> unsigned {
      if (at >= bytes_.size()) fail("it ends within a run");
      return byte(at++);
    };
    const auto paint = [&](unsigned value) {
      if (x >= width_ || y >= height_) return;
      const std::int64_t line = top_down_ ? y : height_ - 1 - y;
      out.bytes[static_cast<std::size_t>(line * width_ + x++)] = static_cast<unsigned char>(value);
    };
    const auto paint_run = [&](unsigned count, const auto& value_at) {
      for (unsigned i = 0; i < count; ++i) paint(value_at(i));
    };
    const auto half = [](unsigned pair, unsigned i) {
      return i % 2 == 0 ? pair >> 4U : pair & 15U;
    };
    while (y < height_) {
      const unsigned count = next();
      const unsigned value = next();
      if (count > 0) {
        paint_run(count, [&](unsigned i) { return bits_ == 8 ? value : half(value, i); });
      } else if (value == 0) {
        x = 0;
        ++y;
      } else if (value == 1) {
        break;
      } else if (value == 2) {
        x += next();
        y += next();
      } else {
        const std::size_t first = at;
        unsigned pair = 0;
        paint_run(value, [&](unsigned i) {
          if (bits_ == 8) return next();
          if (i % 2 == 0) pair = next();
          return half(pair, i);
        });
        if ((at - first) % 2 == 1) static_cast<void>(next());
      }
    }
    return out;
  }

  /// Where red, green and blue lie in a pixel of 16 or 32 bits.
  [[nodiscard]] std::array<std::uint32_t, 3> color_masks() const {
    if (coding_ == plain) {
      return bits_ == 16 ? std::array<std::uint32_t, 3>{0x7c00, 0x03e0, 0x001f}
                         : std::array<std::uint32_t, 3>{0xff0000, 0x00ff00, 0x0000ff};
    }
    std::array<std::uint32_t, 3> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = number<std::uint32_t>(file_header + info_header + 4 * i);
      if (out[i] == 0) fail("a colour has no bits");
    }
    return out;
  }

  /// Bits that no colour uses may hold alpha.
  void read_colors(DecodedImage& out) const {
    out.image = blank(3);
    std::optional<std::uint32_t> first_alpha;
    const auto masks = bits_ == 24 ? std::array<std::uint32_t, 3>{} : color_masks();
    const auto step = static_cast<std::size_t>(bits_ / 8);
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        const std::size_t at = row_at(y) + static_cast<std::size_t>(x) * step;
        unsigned char* to = &out.image.bytes[static_cast<std::size_t>(y * width_ + x) * 3];
        if (bits_ == 24) {
          for (std::size_t c = 0; c < 3; ++c) to[c] = byte(at + 2 - c);
          continue;
        }
        const std::uint32_t pixel = bits_ == 16 ? number_at<std::uint16_t>(bytes_, at)
                                                : number_at<std::uint32_t>(bytes_, at);
        for (std::size_t c = 0; c < 3; ++c) {
          const int shift = std::countr_zero(masks[c]);
          const std::uint64_t most = masks[c] >> shift;
          to[c] = static_cast<unsigned char>(((pixel & masks[c]) >> shift) * 255ULL / most);
        }
        const std::uint32_t alpha = pixel & ~(masks[0] | masks[1] | masks[2]);
        if (!first_alpha) first_alpha = alpha;
        out.alpha_varies |= alpha != *first_alpha;
      }
    }
  }

  std::string file_;
  std::string_view bytes_;
  std::uint32_t header_ = 0, coding_ = plain, colors_ = 0;
  std::int64_t width_ = 0, height_ = 0;
  std::int64_t bits_ = 0;
  std::size_t start_ = 0;
  bool top_down_ = false;
};

}  // namespace

DecodedImage decode_bmp(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read();
}

ImageSize bmp_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).size();
}

}  // namespace medurwkv::data
