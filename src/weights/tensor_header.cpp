// The header of a safetensors file, read and made. Read by a parser of its own: the grammar is
// small, and a general one takes many times the header's size for what is hostile.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/text.h"
#include "weights/tensor_file.h"

namespace medurwkv::weights {
namespace {

using nlohmann::json;

constexpr std::uint64_t length_bytes = 8;
constexpr std::size_t most_entries = 65536;
constexpr std::size_t highest_rank = 32;

[[noreturn]] void throw_bad(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": not a sound safetensors file: ", shown(what)));
}

/// Whether shape and type fill the bytes exactly. The sides other than 0 must be countable too.
bool fits(const TensorInfo& info) {
  std::int64_t product = size_of(info.type);
  bool empty = false;
  for (const std::int64_t side : info.shape) {
    if (side == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, side, &product)) {
      return false;
    }
  }
  return info.bytes == (empty ? 0 : static_cast<std::uint64_t>(product));
}

/// The JSON text of a header: {"__metadata__": {KEY: TEXT ...}, NAME: {"dtype": TEXT, "shape":
/// [WHOLE ...], "data_offsets": [WHOLE, WHOLE]} ...}.
class HeaderParser {
 public:
  HeaderParser(const std::string& file, std::string_view text) : file_(file), text_(text) {}

  TensorHeader parse() {
    TensorHeader out;
    bool metadata = false;
    if (text_.empty() || text_[0] != '{') refuse("does not begin with '{'");
    object([&](std::string&& name) {
      if (name != "__metadata__") {
        if (out.tensors.size() == most_entries)
          refuse(concat("has over ", most_entries, " tensors"));
        out.tensors.push_back(tensor(std::move(name)));
      } else {
        if (metadata) refuse("has the key '__metadata__' twice");
        metadata = true;
        read_metadata(out.metadata);
      }
    });
    skip_blanks();
    if (at_ != text_.size()) refuse("has something after its JSON text");
    return out;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw_bad(file_, concat("its header, at byte ", length_bytes + at_, ", ", what));
  }

  // --- JSON --------------------------------------------------------------------------------------

  void skip_blanks() {
    constexpr std::string_view blanks = " \t\r\n";
    while (at_ < text_.size() && blanks.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool accept(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse(concat("has no '", c, "' where one is expected"));
  }

  /// Calls `entry` with each key, in front of its value.
  template <class Entry>
  void object(const Entry& entry) {
    expect('{');
    if (accept('}')) return;
    do {
      std::string key = text();
      expect(':');
      entry(std::move(key));
    } while (accept(','));
    expect('}');
  }

  /// A list of at most `most` whole numbers.
  std::vector<std::uint64_t> numbers(std::size_t most) {
    std::vector<std::uint64_t> out;
    expect('[');
    if (accept(']')) return out;
    do {
      if (out.size() == most) refuse(concat("has a list of over ", most, " numbers"));
      out.push_back(whole());
    } while (accept(','));
    expect(']');
    return out;
  }

  std::uint64_t whole() {
    skip_blanks();
    const std::size_t first = at_;
    std::uint64_t out = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
      if (__builtin_mul_overflow(out, 10, &out) || __builtin_add_overflow(out, digit, &out)) {
        refuse("has a number beyond 64 bits");
      }
    }
    const bool padded = at_ - first > 1 && text_[first] == '0';
    const bool ends =
        at_ < text_.size() && std::string_view(".eE").find(text_[at_]) == std::string_view::npos;
    if (at_ == first || padded || !ends) refuse("has no whole number where one is expected");
    return out;
  }

  std::string text() {
    expect('"');
    // What escapes stand for is never longer than they are.
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) refuse("has a text without an end");
    std::string out;
    out.reserve(end - at_);
    while (at_ < end) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) refuse("has a control character within a text");
      if (c == '\\') {
        ++at_;
        append_escape(out);
      } else if (c < 0x80) {
        out += text_[at_++];
      } else {
        append_utf8(out);
      }
    }
    ++at_;
    return out;
  }

  /// What stands behind a backslash.
  void append_escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    const char letter = text_[at_++];
    if (letter != 'u') {
      const std::size_t found = letters.find(letter);
      if (found == std::string_view::npos) refuse("has an unknown escape within a text");
      out += meanings[found];
      return;
    }
    std::uint32_t code = four_digits();
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const std::uint32_t low = four_digits();
      if (low < 0xdc00 || low > 0xdfff) refuse("has half a surrogate pair within a text");
      code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    } else if (code >= 0xd800 && code <= 0xdfff) {
      refuse("has half a surrogate pair within a text");
    }
    append_code(out, code);
  }

  std::uint32_t four_digits() {
    std::uint32_t out = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
      const std::size_t digit =
          at_ < text_.size() ? digits.find(text_[at_]) : std::string_view::npos;
      if (digit == std::string_view::npos) refuse("has no four digits behind \\u");
      out = out << 4U | static_cast<std::uint32_t>(digit & 15U);
    }
    return out;
  }

  static void append_code(std::string& out, std::uint32_t code) {
    const auto tail = [&](unsigned shift) {
      out += static_cast<char>(0x80U | (code >> shift & 0x3fU));
    };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xc0U | code >> 6U);
      tail(0);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xe0U | code >> 12U);
      tail(6);
      tail(0);
    } else {
      out += static_cast<char>(0xf0U | code >> 18U);
      tail(12);
      tail(6);
      tail(0);
    }
  }

  /// One character of several bytes, checked.
  void append_utf8(std::string& out) {
    const auto first = static_cast<unsigned char>(text_[at_]);
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    std::uint32_t code = first & (0x7fU >> length);
    bool sound = first >= 0xc2 && first <= 0xf4 && at_ + length <= text_.size();
    for (std::size_t i = 1; sound && i < length; ++i) {
      const auto next = static_cast<unsigned char>(text_[at_ + i]);
      sound = (next & 0xc0U) == 0x80U;
      code = code << 6U | (next & 0x3fU);
    }
    // Longer than need be, a surrogate, or beyond Unicode.
    constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    sound = sound && code >= least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (!sound) refuse("has a text that is not UTF-8");
    out.append(text_.substr(at_, length));
    at_ += length;
  }

  // --- entries -----------------------------------------------------------------------------------

  void read_metadata(Metadata& out) {
    object([&](std::string&& key) {
      if (out.size() == most_entries) refuse(concat("has over ", most_entries, " metadata"));
      skip_blanks();
      if (at_ < text_.size() && text_[at_] != '"') {
        refuse(concat("has metadata '", shown(key), "' that are not a string"));
      }
      std::string value = text();
      const auto [place, is_new] = out.try_emplace(std::move(key), std::move(value));
      if (!is_new) refuse(concat("has the key '", shown(place->first), "' twice"));
    });
  }

  TensorInfo tensor(std::string&& name) {
    TensorInfo info{.name = std::move(name), .shape = {}};
    bool type = false;
    bool shape = false;
    bool offsets = false;
    object([&](std::string&& key) {
      const auto once = [&](bool& seen) {
        if (seen)
          refuse(concat("has the key '", shown(key), "' twice in tensor ", shown(info.name)));
        seen = true;
      };
      if (key == "dtype") {
        once(type);
        info.type = read_type(info.name);
      } else if (key == "shape") {
        once(shape);
        read_shape(info);
      } else if (key == "data_offsets") {
        once(offsets);
        read_offsets(info);
      } else {
        refuse(concat("has the unknown key '", shown(key), "' in tensor ", shown(info.name)));
      }
    });
    if (!type || !shape || !offsets) {
      refuse(concat("describes tensor ", shown(info.name),
                    " without all of dtype, shape, data_offsets"));
    }
    if (!fits(info)) {
      throw_bad(file_, concat("tensor ", shown(info.name), " of shape ", shape_text(info.shape),
                              " and type ", to_string(info.type), " holds ", info.bytes, " bytes"));
    }
    return info;
  }

  DType read_type(const std::string& tensor) {
    const std::string name = text();
    const auto type = dtype_from(name);
    if (!type)
      refuse(concat("gives tensor ", shown(tensor), " the unknown type '", shown(name), "'"));
    return *type;
  }

  void read_shape(TensorInfo& info) {
    for (const std::uint64_t side : numbers(highest_rank)) {
      if (side > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        refuse(concat("gives tensor ", shown(info.name), " a side of ", side));
      }
      info.shape.push_back(static_cast<std::int64_t>(side));
    }
  }

  void read_offsets(TensorInfo& info) {
    const std::vector<std::uint64_t> pair = numbers(2);
    if (pair.size() != 2 || pair[1] < pair[0]) {
      refuse(concat("gives tensor ", shown(info.name), " offsets that are not a start and an end"));
    }
    info.offset = pair[0];
    info.bytes = pair[1] - pair[0];
  }

  const std::string& file_;
  std::string_view text_;
  std::size_t at_ = 0;
};

void check_names(const std::string& file, const std::vector<TensorInfo>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) names.emplace_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    throw_bad(file, concat("its header has the key '", shown(*twice), "' twice"));
}

void check_layout(const std::string& file, std::vector<TensorInfo>& tensors,
                  std::uint64_t data_bytes) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  std::uint64_t at = 0;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.offset != at) {
      throw_bad(file, concat("tensor ", shown(tensor.name), " starts at byte ", tensor.offset,
                             " of the data, expected ", at));
    }
    if (__builtin_add_overflow(at, tensor.bytes, &at) || at > data_bytes) {
      throw_bad(file, concat("tensor ", shown(tensor.name), " ends beyond the file"));
    }
  }
  if (at != data_bytes) {
    throw_bad(file, concat("it holds ", data_bytes, " bytes of data, its tensors ", at));
  }
}

}  // namespace

TensorHeader parse_header(const std::string& file, std::string_view bytes,
                          std::uint64_t data_bytes) {
  if (bytes.size() < length_bytes) throw_bad(file, "it is shorter than its 8-byte header length");
  TensorHeader out = HeaderParser(file, bytes.substr(length_bytes)).parse();
  check_names(file, out.tensors);
  check_layout(file, out.tensors, data_bytes);
  return out;
}

std::string make_header(std::vector<TensorInfo> tensors, const Metadata& metadata) {
  // Keys in the order of the data: an ordered object keeps it.
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (TensorInfo& tensor : tensors) {
    if (tensor.name == "__metadata__" || header.contains(tensor.name)) {
      throw_internal(concat("two tensors named ", shown(tensor.name), " in one file"));
    }
    const auto bytes =
        static_cast<std::uint64_t>(element_count(tensor.shape) * size_of(tensor.type));
    header[tensor.name] = {{"dtype", to_string(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const json::exception&) {
    throw_failure("a name or text to be stored in the file is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string out(length_bytes, '\0');
  std::memcpy(out.data(), &length, length_bytes);
  return out + text;
}

}  // namespace medurwkv::weights
