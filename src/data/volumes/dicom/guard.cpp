#include "data/volumes/dicom/guard.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include <zlib.h>

namespace medurwkv::dicom {
namespace {

using namespace std::string_view_literals;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

std::uint32_t number_at(std::string_view bytes, std::size_t place, std::size_t size, bool big) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = place + (big ? i : size - 1 - i);
    out = out << 8U | static_cast<unsigned char>(bytes[at]);
  }
  return out;
}

bool is_letter(char c) {
  return c >= 'A' && c <= 'Z';
}

/// Value representations whose length has four bytes.
bool is_wide(std::string_view vr) {
  static constexpr std::array<std::string_view, 13> all{"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                        "SV", "UC", "UN", "UR", "UT", "UV"};
  return std::find(all.begin(), all.end(), vr) != all.end();
}

constexpr std::uint32_t no_length = 0xffffffffU;

struct Element {
  std::uint32_t tag = 0;
  std::string_view vr{};  ///< empty where it is implicit, and of items
  std::uint32_t length = 0;
  std::size_t value = 0;  ///< where it begins
};

/// None where the bytes end before its value, or have no representation where one should be.
std::optional<Element> element_at(std::string_view bytes, std::size_t at, bool implicit, bool big) {
  if (at + 8 > bytes.size()) return std::nullopt;
  Element out{.tag = number_at(bytes, at, 2, big) << 16U | number_at(bytes, at + 2, 2, big)};
  if (implicit || out.tag >> 16U == 0xfffeU) {
    out.length = number_at(bytes, at + 4, 4, big);
    out.value = at + 8;
    return out;
  }
  out.vr = bytes.substr(at + 4, 2);
  if (!is_letter(out.vr[0]) || !is_letter(out.vr[1])) return std::nullopt;
  if (!is_wide(out.vr)) {
    out.length = number_at(bytes, at + 6, 2, big);
    out.value = at + 8;
    return out;
  }
  if (at + 12 > bytes.size()) return std::nullopt;
  out.length = number_at(bytes, at + 8, 4, big);
  out.value = at + 12;
  return out;
}

/// Where the elements behind the meta information begin, and how they are written.
struct Start {
  std::size_t at = 0;
  std::string_view syntax{};
  std::size_t syntax_at = 0;
  bool implicit = false, big = false;
};

Start start_of(std::string_view bytes) {
  constexpr std::size_t preamble = 128;
  Start out;
  if (bytes.size() > preamble + 4 && bytes.substr(preamble, 4) == "DICM") out.at = preamble + 4;
  bool said = false;
  while (const auto element = element_at(bytes, out.at, false, false)) {
    if (element->tag >> 16U != 2 || element->length > bytes.size() - element->value) break;
    if (element->tag == 0x00020010U) {
      out.syntax_at = element->value;
      out.syntax = bytes.substr(element->value, element->length);
      out.syntax = out.syntax.substr(0, std::min(out.syntax.find_first_of("\0 "sv),  //
                                                 out.syntax.size()));
      said = !out.syntax.empty();
    }
    out.at = element->value + element->length;
  }
  out.implicit = out.syntax == "1.2.840.10008.1.2";
  out.big = out.syntax == "1.2.840.10008.1.2.2";
  if (!said && out.at + 6 <= bytes.size()) {
    out.implicit = !is_letter(bytes[out.at + 4]) || !is_letter(bytes[out.at + 5]);
    out.big = bytes[out.at] == 0 && bytes[out.at + 1] != 0;
  }
  return out;
}

/// An item, a sequence or the fragments of pixels around the element at hand.
struct Level {
  std::uint64_t end = 0;
  bool implicit = false;
  bool fragments = false;  ///< items hold bytes, not elements
};

constexpr std::size_t deepest = 64;  ///< sequences; those of images have a few
constexpr std::size_t most_elements = 500'000;

/// Where no element can be told any more, the items from there on could each lie in the last one.
void check_rest(std::string_view rest) {
  constexpr std::size_t most = 2000;
  std::size_t items = 0;
  for (const std::string_view item : {"\xfe\xff\x00\xe0"sv, "\xff\xfe\xe0\x00"sv}) {
    for (std::size_t at = rest.find(item); at != std::string_view::npos;
         at = rest.find(item, at + item.size())) {
      ++items;
    }
  }
  if (items > most) fail("its sequences are broken");
}

}  // namespace

void check_elements(std::string_view start, std::uint64_t file_size) {
  const Start data = start_of(start);
  std::vector<Level> levels{{file_size, data.implicit}};
  std::size_t count = 0;
  for (std::uint64_t at = data.at; at < start.size();) {
    while (levels.size() > 1 && at >= levels.back().end) levels.pop_back();
    const Level level = levels.back();
    const auto element = element_at(start, at, level.implicit, data.big);
    if (!element) {
      check_rest(start.substr(at));
      return;
    }
    const bool open = element->length == no_length;
    const std::uint64_t end = open ? level.end : element->value + std::uint64_t{element->length};
    at = element->value;
    if (levels.size() == 1 && element->tag >= 0x7fe00010U && element->tag >> 16U != 0xfffeU) return;
    if (end > file_size) {
      fail("is broken or no DICOM file: an element of " + std::to_string(element->length) +
           " bytes reaches beyond its end");
    }
    if (element->tag == 0xfffee00dU || element->tag == 0xfffee0ddU) {
      if (levels.size() > 1) levels.pop_back();
      continue;
    }
    if (++count > most_elements) fail("has more than 500,000 elements before its pixels");
    const bool item = element->tag == 0xfffee000U;
    const bool bytes = element->vr.starts_with('O') || element->tag == 0x7fe00010U;
    const bool sequence =
        element->vr == "SQ" || open ||
        (level.implicit &&
         start.substr(at, 4) == (data.big ? "\xff\xfe\xe0\x00"sv : "\xfe\xff\x00\xe0"sv));
    if (!(item ? !level.fragments : sequence)) {
      at = end;
      continue;
    }
    levels.push_back({end, level.implicit || element->vr == "UN", !item && bytes});
    if (levels.size() > 2 * deepest) {
      fail("its sequences lie more than " + std::to_string(deepest) + " deep in each other");
    }
  }
}

bool is_deflated(std::string_view start) {
  return start_of(start).syntax == "1.2.840.10008.1.2.1.99";
}

std::optional<std::vector<char>> inflated(std::string_view file, std::size_t most, bool whole) {
  const Start data = start_of(file);
  // Once to count and once to keep: a bomb takes no memory.
  std::size_t size = 0;
  std::vector<char> out;
  for (const bool counting : {true, false}) {
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) fail("there is no memory to unpack it");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.data()) + data.at);
    stream.avail_in = static_cast<uInt>(file.size() - data.at);
    std::array<char, 65536> room{};
    int status = Z_OK;
    std::size_t made = 0;
    const std::size_t wanted = counting ? most + 1 : size;
    while (status == Z_OK && made < wanted) {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = static_cast<uInt>(std::min(room.size(), wanted - made));
      const std::size_t before = stream.avail_out;
      status = inflate(&stream, Z_NO_FLUSH);
      const std::size_t got = before - stream.avail_out;
      if (!counting) out.insert(out.end(), room.data(), room.data() + got);
      made += got;
    }
    inflateEnd(&stream);
    if (status != Z_OK && status != Z_STREAM_END) fail("its deflated elements are damaged");
    if (!counting) break;
    if (made > most && whole) return std::nullopt;
    size = std::min(made, most);
    out.reserve(data.at + size);
    out.assign(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(data.at));
    // "1.2.840.10008.1.2.1.99" less its end is explicit VR.
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(data.syntax_at + 19), 3, '\0');
  }
  return out;
}

void check_jpeg(std::span<const unsigned char> frame, const FrameSize& size) {
  std::size_t at = 2;
  while (at + 10 <= frame.size() && frame[at] == 0xff) {
    const unsigned marker = frame[at + 1];
    if (marker == 0xff) {
      ++at;
      continue;
    }
    const auto word = [&](std::size_t place) { return frame[place] << 8U | frame[place + 1]; };
    const bool table = marker == 0xc4 || marker == 0xc8 || marker == 0xcc;
    if ((marker >= 0xc0 && marker <= 0xcf && !table) || marker == 0xf7) {
      const std::array<std::uint64_t, 3> said{static_cast<std::uint64_t>(word(at + 7)),
                                              static_cast<std::uint64_t>(word(at + 5)),
                                              frame[at + 9]};
      if (said == std::array{size.columns, size.rows, size.samples}) return;
      const auto shown = [](std::uint64_t columns, std::uint64_t rows, std::uint64_t samples) {
        return std::to_string(columns) + " x " + std::to_string(rows) + " of " +
               std::to_string(samples) + " samples";
      };
      fail("its packed frame is " + shown(said[0], said[1], said[2]) + ", its header says " +
           shown(size.columns, size.rows, size.samples));
    }
    at += 2 + static_cast<std::size_t>(word(at + 2));
  }
  fail("its packed frame is no JPEG, or is cut off");
}

std::vector<unsigned char> from_runs(std::span<const unsigned char> frame, const FrameSize& size) {
  constexpr std::size_t header = 64;
  const std::size_t pixels = size.columns * size.rows;
  const std::size_t bytes = size.bits / 8;
  const std::size_t segments = size.samples * bytes;
  const auto word = [&](std::size_t place) {
    std::uint32_t out = 0;
    std::memcpy(&out, frame.data() + place, sizeof(out));
    return std::size_t{out};
  };
  if (frame.size() < header || word(0) != segments || segments > 15) {
    fail("its packed frame has not a segment of runs for each byte of a pixel");
  }
  std::vector<unsigned char> out(pixels * segments);
  for (std::size_t segment = 0; segment < segments; ++segment) {
    std::size_t at = word(4 + 4 * segment);
    const std::size_t end = segment + 1 < segments ? word(8 + 4 * segment) : frame.size();
    if (at < header || end < at || end > frame.size()) fail("its packed frame is cut off");
    // Of each sample the highest byte comes first.
    const std::size_t place = segment / bytes * bytes + bytes - 1 - segment % bytes;
    for (std::size_t made = 0; made < pixels;) {
      const unsigned code = at < end ? frame[at] : 128;
      const std::size_t count = code < 128 ? code + 1 : 257 - code;
      const std::size_t taken = code < 128 ? count : 1;
      ++at;
      if (at > end || (code != 128 && taken > end - at)) {
        fail("its packed frame is cut off: its runs give fewer pixels");
      }
      if (code == 128) continue;
      for (std::size_t i = 0; i < count && made < pixels; ++i, ++made) {
        out[made * segments + place] = frame[at + (code < 128 ? i : 0)];
      }
      at += taken;
    }
  }
  return out;
}

}  // namespace medurwkv::dicom
