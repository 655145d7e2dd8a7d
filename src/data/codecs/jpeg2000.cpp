// JPEG 2000 in, through OpenJPEG: .jp2 and bare codestreams, gray or RGB. Headers are read here
// first, so that OpenJPEG gets only what is known to be bounded: it takes memory for each tile,
// precinct and code block that a header claims. Format: ISO/IEC 15444-1 (ITU-T T.800), annexes A
// (codestream), B (packets) and I (boxes).
#include <openjpeg.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
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

enum Marker : std::uint32_t {
  start_of_codestream = 0xff4f,
  sizes = 0xff51,
  coding_style = 0xff52,
  coding_style_component = 0xff53,
  start_of_tile = 0xff90,
  start_of_data = 0xff93,
  end_of_codestream = 0xffd9
};

/// Segments of part 1 of the standard: lengths, quantisation, regions, orders, packed headers,
/// registration, comments.
constexpr std::array<std::uint32_t, 14> known_segments{coding_style, coding_style_component,
                                                       0xff55,       0xff57,
                                                       0xff58,       0xff5c,
                                                       0xff5d,       0xff5e,
                                                       0xff5f,       0xff60,
                                                       0xff61,       0xff63,
                                                       0xff64,       sizes};

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": broken JPEG 2000: ", what));
}

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw_failure(
      concat(file, ": is JPEG 2000 with ", what, ", which is not read; convert it to PNG"));
}

/// Big-endian numbers of a file.
class Bytes {
 public:
  Bytes(const std::string& file, std::string_view bytes) : file_(file), bytes_(bytes) {}

  [[nodiscard]] std::uint32_t number(std::uint64_t at, unsigned count) const {
    if (!lies_within(at, count, bytes_.size())) {
      fail(file_, concat("it ends too early, at byte ", bytes_.size()));
    }
    std::uint32_t out = 0;
    for (unsigned i = 0; i < count; ++i) {
      out = out << 8U | static_cast<unsigned char>(bytes_[at + i]);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] std::string_view part(std::uint64_t start, std::uint64_t end) const {
    return bytes_.substr(start, end - start);
  }

 private:
  const std::string& file_;
  std::string_view bytes_;
};

/// What the boxes of a .jp2 say.
struct Boxes {
  std::string_view codestream;
  std::optional<bool> alpha{};  ///< whether the last component is; none: not said
};

/// Channel definitions: colours in their order, the last component perhaps alpha.
bool read_definitions(const std::string& file, const Bytes& bytes, std::uint64_t at) {
  const std::uint32_t count = bytes.number(at, 2);
  bool alpha = false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t entry = at + 2 + std::uint64_t{6} * i;
    const std::uint32_t channel = bytes.number(entry, 2);
    const std::uint32_t kind = bytes.number(entry + 2, 2);
    const std::uint32_t place = bytes.number(entry + 4, 2);
    const bool opacity = kind == 1 || kind == 2;
    if (opacity ? channel + 1 != count : kind == 0 && place != 0 && place != channel + 1) {
      refuse(file, "channels in another order");
    }
    alpha |= opacity;
  }
  return alpha;
}

/// Calls `each` with type, first byte and end of every box between `at` and `end`.
template <class Each>
void each_box(const std::string& file, const Bytes& bytes, std::uint64_t at, std::uint64_t end,
              const Each& each) {
  while (at + 8 <= end) {
    std::uint64_t length = bytes.number(at, 4);
    std::uint64_t header = 8;
    if (length == 1) {
      length = std::uint64_t{bytes.number(at + 8, 4)} << 32U | bytes.number(at + 12, 4);
      header = 16;
    }
    if (length == 0) length = end - at;  // to the end of the file
    if (length < header) fail(file, concat("a box claims ", length, " bytes, at byte ", at));
    const bool whole = length <= end - at;
    each(bytes.number(at + 4, 4), at + header, whole ? at + length : end);
    if (!whole) break;
    at += length;
  }
}

constexpr std::uint32_t box_type(std::string_view name) {
  std::uint32_t out = 0;
  for (const char c : name) out = out << 8U | static_cast<unsigned char>(c);
  return out;
}

Boxes read_boxes(const std::string& file, std::string_view all) {
  Boxes out;
  if (all.starts_with("\xff\x4f")) {
    out.codestream = all;
    return out;
  }
  const Bytes bytes(file, all);
  const auto in_header = [&](std::uint32_t type, std::uint64_t at, std::uint64_t /*end*/) {
    if (type == box_type("pclr")) refuse(file, "a palette");
    if (type == box_type("cdef")) out.alpha = read_definitions(file, bytes, at);
    constexpr std::uint32_t unsaid = 0;
    constexpr std::uint32_t srgb = 16;
    constexpr std::uint32_t gray = 17;
    if (type == box_type("colr") && bytes.number(at, 1) == 1) {
      const std::uint32_t space = bytes.number(at + 3, 4);
      if (space != unsaid && space != srgb && space != gray)
        refuse(file, concat("colours of the kind ", space));
    }
  };
  each_box(file, bytes, 0, bytes.size(),
           [&](std::uint32_t type, std::uint64_t at, std::uint64_t end) {
             if (type == box_type("jp2h")) each_box(file, bytes, at, end, in_header);
             if (type != box_type("jp2c")) return;
             if (!out.codestream.empty()) {
               throw_failure(concat(file, ": holds several pictures; save each as one file"));
             }
             out.codestream = bytes.part(at, end);
           });
  if (out.codestream.empty()) fail(file, "it holds no codestream");
  return out;
}

/// The headers of a codestream.
class Codestream {
 public:
  /// Reads the first header, of sizes. Refuses samples with a sign unless they are asked for.
  Codestream(const std::string& file, std::string_view bytes, bool with_sign = false)
      : file_(file), bytes_(file, bytes), with_sign_(with_sign) {
    if (bytes_.number(0, 2) != start_of_codestream || bytes_.number(2, 2) != sizes) {
      fail(file_, "its codestream does not begin with its sizes");
    }
    const auto side = [&](std::uint64_t at) { return std::int64_t{bytes_.number(at, 4)}; };
    const std::array<std::int64_t, 2> first{side(16), side(20)};
    size_ = {side(8) - first[0], side(12) - first[1]};
    tile_ = {side(24), side(28)};
    const std::array<std::int64_t, 2> tile_first{side(32), side(36)};
    components_ = bytes_.number(40, 2);
    for (std::uint32_t i = 0; i < std::min(components_, 4U); ++i) read_component(42 + 3 * i);
    if (components_ < 1 || components_ > 4) {
      throw_failure(concat(file_, ": is JPEG 2000 of ", components_,
                           " components; 1 and 3 are read, with or without alpha: save the "
                           "channels as samples of a TIFF"));
    }
    // OpenJPEG keeps 4 bytes of a sample beside ours.
    check_size(file_, size_.width, size_.height, components_ * (bits_ > 8 ? 6 : 5));
    if (tile_.width < 1 || tile_.height < 1 || tile_first[0] > first[0] ||
        tile_first[1] > first[1] || tile_first[0] + tile_.width <= first[0] ||
        tile_first[1] + tile_.height <= first[1]) {
      fail(file_, "its tiles do not cover it");
    }
    const auto count = [](std::int64_t length, std::int64_t step) {
      return (length + step - 1) / step;
    };
    tiles_ = count(first[0] + size_.width - tile_first[0], tile_.width) *
             count(first[1] + size_.height - tile_first[1], tile_.height);
    at_ = 4 + bytes_.number(4, 2);
  }

  [[nodiscard]] ImageSize size() const { return size_; }
  [[nodiscard]] std::uint32_t components() const { return components_; }
  [[nodiscard]] unsigned bits() const { return bits_; }
  [[nodiscard]] bool lossy() const { return lossy_; }

  /// Reads all other headers. Throws Error for what OpenJPEG should not see, and where a tile is
  /// missing or cut.
  void check() {
    constexpr std::int64_t least_tile = 14;
    if (tiles_ * least_tile > static_cast<std::int64_t>(bytes_.size())) {
      fail(file_, concat("it claims ", tiles_, " tiles, more than its ", bytes_.size(),
                         " bytes can hold"));
    }
    read_segments(size_, start_of_tile);
    std::vector<bool> seen(static_cast<std::size_t>(tiles_));
    while (bytes_.number(at_, 2) == start_of_tile) {
      const std::uint64_t begin = at_;
      const std::uint32_t tile = bytes_.number(begin + 4, 2);
      const std::uint64_t length = bytes_.number(begin + 6, 4);
      const std::uint64_t end = length == 0 ? bytes_.size() - 2 : begin + length;
      if (tile >= seen.size()) fail(file_, concat("it has a tile ", tile, " of ", tiles_));
      seen[tile] = true;
      at_ = begin + 12;
      read_segments({std::min(tile_.width, size_.width), std::min(tile_.height, size_.height)},
                    start_of_data);
      if (end < at_ + 2 || end > bytes_.size()) {
        fail(file_, concat("it ends within tile ", tile, " of ", tiles_));
      }
      at_ = end;
    }
    if (bytes_.number(at_, 2) != end_of_codestream) {
      fail(file_, concat("it ends in neither a tile nor its end marker, at byte ", at_));
    }
    const auto missing = std::find(seen.begin(), seen.end(), false);
    if (missing != seen.end()) {
      fail(file_, concat("its tile ", missing - seen.begin(), " of ", tiles_, " is missing"));
    }
  }

 private:
  void read_component(std::uint64_t at) {
    const std::uint32_t depth = bytes_.number(at, 1);
    const unsigned bits = (depth & 0x7fU) + 1;
    if ((depth & 0x80U) != 0 && !with_sign_) refuse(file_, "signed samples");
    if (bits > 16) refuse(file_, concat("samples of ", bits, " bits"));
    if (bits_ != 0 && bits != bits_) refuse(file_, "components of unlike depth");
    bits_ = bits;
    if (bytes_.number(at + 1, 1) != 1 || bytes_.number(at + 2, 1) != 1) {
      refuse(file_, "components smaller than the image (subsampled)");
    }
  }

  /// Segments up to the marker `last`; they say how an area of `size` is coded.
  void read_segments(ImageSize size, std::uint32_t last) {
    for (std::uint32_t marker = bytes_.number(at_, 2); marker != last;
         marker = bytes_.number(at_, 2)) {
      if (std::find(known_segments.begin(), known_segments.end(), marker) == known_segments.end()) {
        refuse(file_, concat("a marker ", marker, " at byte ", at_));
      }
      const std::uint64_t length = bytes_.number(at_ + 2, 2);
      if (length < 2) fail(file_, concat("a segment claims ", length, " bytes, at byte ", at_));
      if (marker == coding_style) {
        layers_ = bytes_.number(at_ + 6, 2);
        check_coding(at_ + 9, (bytes_.number(at_ + 4, 1) & 1U) != 0, size);
      } else if (marker == coding_style_component) {
        check_coding(at_ + 6, (bytes_.number(at_ + 5, 1) & 1U) != 0, size);
      }
      at_ += 2 + length;
    }
  }

  /// Refuses precincts and code blocks too small to be worth their memory. Refuses more packets
  /// than bytes: a precinct has one of a byte at least in every layer.
  void check_coding(std::uint64_t at, bool precincts, ImageSize size) {
    const std::uint32_t levels = bytes_.number(at, 1);
    const std::uint32_t block = bytes_.number(at + 1, 1) + bytes_.number(at + 2, 1) + 4;
    if (levels > 32) fail(file_, concat("it claims ", levels, " levels"));
    if (block < 8 || block > 12) refuse(file_, concat("code blocks of 2^", block, " pixels"));
    if (bytes_.number(at + 3, 1) > 0x3f) refuse(file_, "high-throughput coding");
    lossy_ |= bytes_.number(at + 4, 1) == 0;
    std::int64_t count = 0;
    for (std::uint32_t level = 0; level <= levels; ++level) {
      const std::uint32_t sides = precincts ? bytes_.number(at + 5 + level, 1) : 0xff;
      const auto along = [&](std::int64_t length, std::uint32_t exponent) {
        const std::uint32_t shift = levels - level + exponent;
        return (length + (std::int64_t{1} << shift) - 1) >> shift;
      };
      count += along(size.width, sides & 15U) * along(size.height, sides >> 4U);
    }
    precincts_ = std::max(precincts_, count);
    if (count > 1000 + size.width * size.height / 64 ||
        precincts_ * layers_ > static_cast<std::int64_t>(bytes_.size())) {
      fail(file_, concat("it claims ", precincts_, " precincts in ", layers_,
                         " layers, more than it can hold"));
    }
  }

  const std::string& file_;
  Bytes bytes_;
  bool with_sign_;
  std::uint64_t at_ = 0;
  ImageSize size_, tile_;
  std::int64_t tiles_ = 0, layers_ = 0, precincts_ = 0;
  std::uint32_t components_ = 0;
  unsigned bits_ = 0;
  bool lossy_ = false;
};

/// The codestream in memory, and OpenJPEG's last message.
struct Memory {
  std::string_view bytes;
  std::uint64_t at = 0;
  std::string message;
};

OPJ_SIZE_T read_bytes(void* to, OPJ_SIZE_T count, void* user) {
  auto* memory = static_cast<Memory*>(user);
  const std::size_t got = std::min<std::size_t>(count, memory->bytes.size() - memory->at);
  if (got == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(to, memory->bytes.data() + memory->at, got);
  memory->at += got;
  return got;
}

OPJ_BOOL seek_to(OPJ_OFF_T to, void* user) {
  auto* memory = static_cast<Memory*>(user);
  if (to < 0 || static_cast<std::uint64_t>(to) > memory->bytes.size()) return OPJ_FALSE;
  memory->at = static_cast<std::uint64_t>(to);
  return OPJ_TRUE;
}

OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void* user) {
  auto* memory = static_cast<Memory*>(user);
  const auto place = static_cast<OPJ_OFF_T>(memory->at);
  return seek_to(place + count, user) == OPJ_TRUE ? count : -1;
}

void keep_message(const char* message, void* user) {
  static_cast<Memory*>(user)->message = trim(message);
}

struct DestroyCodec {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
};
struct DestroyStream {
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};
struct DestroyImage {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};

using OpjImage = std::unique_ptr<opj_image_t, DestroyImage>;

OpjImage decode(const std::string& file, std::string_view codestream) {
  Memory memory{.bytes = codestream, .message = {}};
  const std::unique_ptr<opj_codec_t, DestroyCodec> codec(opj_create_decompress(OPJ_CODEC_J2K));
  constexpr std::size_t buffer = std::size_t{1} << 16;
  const std::unique_ptr<opj_stream_t, DestroyStream> stream(opj_stream_create(buffer, OPJ_TRUE));
  if (codec == nullptr || stream == nullptr) throw_failure(concat(file, ": out of memory"));
  opj_stream_set_read_function(stream.get(), read_bytes);
  opj_stream_set_seek_function(stream.get(), seek_to);
  opj_stream_set_skip_function(stream.get(), skip_bytes);
  opj_stream_set_user_data(stream.get(), &memory, nullptr);
  opj_stream_set_user_data_length(stream.get(), codestream.size());
  opj_set_error_handler(codec.get(), keep_message, &memory);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* image = nullptr;
  // Strict: what is missing is an error, not black pixels.
  const bool read = opj_setup_decoder(codec.get(), &parameters) != 0 &&
                    opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE) != 0 &&
                    opj_read_header(stream.get(), codec.get(), &image) != 0;
  OpjImage out(image);
  if (!read || opj_decode(codec.get(), stream.get(), image) == 0 ||
      opj_end_decompress(codec.get(), stream.get()) == 0) {
    fail(file, memory.message.empty() ? "it cannot be decoded" : shown(memory.message));
  }
  return out;
}

}  // namespace

DecodedImage decode_jpeg2000(const std::string& file, std::string_view bytes) {
  const Boxes boxes = read_boxes(file, bytes);
  Codestream header(file, boxes.codestream);
  header.check();
  const std::uint32_t channels = header.components();
  const bool alpha = boxes.alpha.value_or(channels % 2 == 0);
  if (alpha != (channels % 2 == 0)) {
    refuse(file, concat(channels, " components, ", alpha ? "" : "none ", "of them alpha"));
  }
  // OpenJPEG keeps a sample in 4 bytes, in its tile and in its image.
  const MemoryClaim claim = claim_pixels(
      file, {.size = header.size(),
             .bytes_per_pixel = std::int64_t{channels} * (header.bits() > 8 ? 10 : 9)});
  const OpjImage decoded = decode(file, boxes.codestream);
  const auto [width, height] = header.size();
  const std::uint32_t most = (1U << header.bits()) - 1;
  DecodedImage out{.image = {.width = width,
                             .height = height,
                             .channels = channels,
                             .type = most > 255 ? SampleType::u16 : SampleType::u8,
                             .bytes = {}},
                   .lossy = header.lossy()};
  const auto pixels = static_cast<std::size_t>(width * height);
  out.image.bytes.resize(pixels * channels * (most > 255 ? 2 : 1));
  for (std::uint32_t c = 0; c < channels; ++c) {
    const bool there = decoded->numcomps == channels && decoded->comps[c].data != nullptr &&
                       decoded->comps[c].w == width && decoded->comps[c].h == height;
    if (!there) fail(file, concat("its component ", c, " is not whole"));
    for (std::size_t i = 0; i < pixels; ++i) {
      const std::int32_t sample =
          std::clamp<std::int32_t>(decoded->comps[c].data[i], 0, static_cast<std::int32_t>(most));
      store_spread(out.image, i * channels + c, static_cast<std::uint32_t>(sample), most);
    }
  }
  if (alpha) drop_alpha(out);
  return out;
}

std::vector<std::int32_t> decode_codestream(const std::string& file, std::string_view bytes,
                                            ImageSize size, std::int64_t channels) {
  Codestream header(file, bytes, true);
  header.check();
  if (header.size() != size || header.components() != channels) {
    fail(file, concat("it is ", header.size().width, " x ", header.size().height, " of ",
                      header.components(), " components, its file says ", size.width, " x ",
                      size.height, " of ", channels));
  }
  const MemoryClaim claim = claim_pixels(file, {.size = size, .bytes_per_pixel = 12 * channels});
  const OpjImage decoded = decode(file, bytes);
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  const auto count = static_cast<std::size_t>(channels);
  std::vector<std::int32_t> out(pixels * count);
  for (std::uint32_t c = 0; c < channels; ++c) {
    const bool there = decoded->numcomps == channels && decoded->comps[c].data != nullptr &&
                       decoded->comps[c].w == size.width && decoded->comps[c].h == size.height;
    if (!there) fail(file, concat("its component ", c, " is not whole"));
    for (std::size_t i = 0; i < pixels; ++i) out[i * count + c] = decoded->comps[c].data[i];
  }
  return out;
}

ImageSize jpeg2000_size(const std::string& file, std::string_view bytes) {
  return Codestream(file, read_boxes(file, bytes).codestream).size();
}

}  // namespace medurwkv::data
