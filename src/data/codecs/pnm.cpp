// Netpbm's formats in: PBM, PGM and PPM, plain (P1 to P3) and raw (P4 to P6), and PAM (P7). A
// reader of ours, because libnetpbm ends the process on errors. Formats: netpbm's pbm(5), pgm(5),
// ppm(5) and pam(5).
#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/codecs/codecs.h"

namespace medurwkv::data {
namespace {

constexpr std::int64_t largest_sample = 65535;

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Reader {
 public:
  /// Reads the header; the raster begins at at_.
  Reader(std::string file, std::string_view bytes) : file_(std::move(file)), bytes_(bytes) {
    if (bytes_.size() < 3 || bytes_[0] != 'P' || bytes_[1] < '1' || bytes_[1] > '7') {
      fail("it begins with none of P1 to P7");
    }
    kind_ = bytes_[1] - '0';
    at_ = 2;
    if (kind_ == 7) {
      read_pam_header();
    } else {
      width_ = number("width");
      height_ = number("height");
      most_ = is_bits() ? 1 : number("largest value");
      samples_ = kind_ == 3 || kind_ == 6 ? 3 : 1;
      end_header();
    }
    if (most_ < 1 || most_ > largest_sample) {
      fail(concat("its largest value is ", most_, "; 1 to 65535 are read"));
    }
    check_size(file_, width_, height_, samples_ * sample_bytes());
  }

  [[nodiscard]] ImageSize size() const { return {width_, height_}; }

  DecodedImage read() {
    DecodedImage out{.image = {.width = width_,
                               .height = height_,
                               .channels = samples_,
                               .type = sample_bytes() == 1 ? SampleType::u8 : SampleType::u16,
                               .bytes = {}}};
    check_raster();
    const MemoryClaim claim =
        claim_pixels(file_, {.size = size(), .bytes_per_pixel = samples_ * sample_bytes()});
    out.image.bytes.resize(static_cast<std::size_t>(width_ * height_ * samples_ * sample_bytes()));
    kind_ <= 3 ? read_plain(out.image) : kind_ == 4 ? read_bits(out.image) : read_raw(out.image);
    refuse_second_picture();
    if (alpha_) drop_alpha(out);
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw_failure(concat(file_, ": broken PNM: ", what));
  }

  [[nodiscard]] bool is_bits() const { return kind_ == 1 || kind_ == 4; }
  [[nodiscard]] std::int64_t sample_bytes() const { return most_ > 255 ? 2 : 1; }

  /// White space and comments, which reach from # to the end of the line.
  void skip_space() {
    while (at_ < bytes_.size() && (is_space(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#') skip_line();
      if (at_ < bytes_.size()) ++at_;
    }
  }
  void skip_line() {
    while (at_ < bytes_.size() && bytes_[at_] != '\n' && bytes_[at_] != '\r') ++at_;
  }

  /// A whole number, which the caller holds against its own limit.
  std::int64_t number(const char* what) {
    skip_space();
    const std::size_t first = at_;
    std::int64_t out = 0;
    while (at_ < bytes_.size() && is_digit(bytes_[at_])) {
      out = std::min<std::int64_t>(10 * out + (bytes_[at_++] - '0'), INT32_MAX);
    }
    if (at_ == first) {
      fail(concat("it has no ", what, at_ < bytes_.size() ? " at byte " : "; it ends at byte ",
                  at_));
    }
    return out;
  }

  /// One white space, or a comment and its line's end, before a raw raster.
  void end_header() {
    if (at_ < bytes_.size() && bytes_[at_] == '#') skip_line();
    if (at_ >= bytes_.size() || !is_space(bytes_[at_])) {
      fail(concat("its header does not end in white space, at byte ", at_));
    }
    ++at_;
  }

  std::string word() {
    while (at_ < bytes_.size() && (bytes_[at_] == ' ' || bytes_[at_] == '\t')) ++at_;
    const std::size_t first = at_;
    while (at_ < bytes_.size() && !is_space(bytes_[at_])) ++at_;
    return std::string(bytes_.substr(first, at_ - first));
  }

  void read_pam_header() {
    std::string type;
    for (;;) {
      skip_space();
      const std::string key = word();
      if (key == "ENDHDR") break;
      if (key == "WIDTH") {
        width_ = number("width");
      } else if (key == "HEIGHT") {
        height_ = number("height");
      } else if (key == "DEPTH") {
        samples_ = number("depth");
      } else if (key == "MAXVAL") {
        most_ = number("largest value");
      } else if (key == "TUPLTYPE") {
        type = word();
      } else {
        fail(concat("its header holds '", shown(key),
                    "' where WIDTH, HEIGHT, DEPTH, MAXVAL, "
                    "TUPLTYPE or ENDHDR is due"));
      }
    }
    skip_line();
    if (at_ < bytes_.size()) ++at_;
    const bool known = type.starts_with("BLACKANDWHITE") || type.starts_with("GRAYSCALE") ||
                       type.starts_with("RGB");
    const std::int64_t colors = type.starts_with("RGB") ? 3 : 1;
    if (samples_ < 1 || samples_ > most_channels ||
        (known && samples_ != colors + (type.ends_with("_ALPHA") ? 1 : 0))) {
      fail(concat("its depth is ", samples_, type.empty() ? "" : " of the type " + shown(type)));
    }
    alpha_ = known ? type.ends_with("_ALPHA") : type.empty() && (samples_ == 2 || samples_ == 4);
  }

  /// Whether the bytes that remain can hold the pixels: of a plain file the last sample may lack
  /// the white space behind it, and bits need none.
  void check_raster() const {
    const auto rest = static_cast<std::int64_t>(bytes_.size() - at_);
    const std::int64_t row = width_ * samples_ * sample_bytes();
    const bool fits = kind_ == 1   ? width_ * height_ <= rest
                      : kind_ <= 3 ? width_ * height_ * samples_ <= (rest + 1) / 2
                      : kind_ == 4 ? (width_ + 7) / 8 * height_ <= rest
                                   : row * height_ <= rest;
    if (!fits) {
      fail(concat(width_, " x ", height_, " pixels do not fit into the ", rest,
                  " bytes behind its header"));
    }
  }

  void store(Image& out, std::size_t index, std::int64_t value) const {
    if (value > most_) {
      fail(concat("a sample is ", value, ", its largest value is to be ", most_));
    }
    store_spread(out, index, static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(most_));
  }

  void read_plain(Image& out) {
    const auto count = static_cast<std::size_t>(width_ * height_ * samples_);
    for (std::size_t i = 0; i < count; ++i) {
      store(out, i, kind_ == 1 ? 1 - plain_bit() : number("sample"));
    }
  }

  /// Bits may stand without white space between them.
  std::int64_t plain_bit() {
    skip_space();
    if (at_ >= bytes_.size() || (bytes_[at_] != '0' && bytes_[at_] != '1')) {
      fail(concat("it has neither 0 nor 1 at byte ", at_));
    }
    return bytes_[at_++] - '0';
  }

  /// Rows are whole bytes; 1 is black.
  void read_bits(Image& out) {
    const auto row = static_cast<std::size_t>((width_ + 7) / 8);
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        const auto byte = static_cast<unsigned char>(bytes_[at_ + static_cast<std::size_t>(x / 8)]);
        const bool black = ((byte >> (7 - x % 8)) & 1) != 0;
        out.bytes[static_cast<std::size_t>(y * width_ + x)] = black ? 0 : 255;
      }
      at_ += row;
    }
  }

  /// Samples of two bytes have the larger one first.
  void read_raw(Image& out) {
    const auto count = static_cast<std::size_t>(width_ * height_ * samples_);
    const auto byte = [&] { return static_cast<unsigned char>(bytes_[at_++]); };
    for (std::size_t i = 0; i < count; ++i) {
      std::int64_t value = byte();
      if (most_ > 255) value = 256 * value + byte();
      store(out, i, value);
    }
  }

  void refuse_second_picture() {
    while (at_ < bytes_.size() && is_space(bytes_[at_])) ++at_;
    const std::string_view rest = bytes_.substr(at_);
    if (rest.size() >= 3 && rest[0] == 'P' && rest[1] >= '1' && rest[1] <= '7' &&
        is_space(rest[2])) {
      throw_failure(concat(file_, ": holds several pictures; save each as one file"));
    }
  }

  std::string file_;
  std::string_view bytes_;
  std::size_t at_ = 0;
  int kind_ = 0;
  std::int64_t width_ = 0, height_ = 0, samples_ = 0, most_ = 0;
  bool alpha_ = false;
};

}  // namespace

DecodedImage decode_pnm(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).read();
}

ImageSize pnm_size(const std::string& file, std::string_view bytes) {
  return Reader(file, bytes).size();
}

}  // namespace medurwkv::data
