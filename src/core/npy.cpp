#include "core/npy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/half.h"
#include "core/little_endian.h"
#include "core/text.h"

namespace medurwkv {
namespace {

constexpr std::string_view magic("\x93NUMPY", 6);
constexpr std::uint64_t alignment = 64;
constexpr std::uint64_t longest_header = 65536;
constexpr std::size_t highest_rank = 64;

struct TypeName {
  NpyType type;
  const char* code;  ///< behind the character for the byte order
  const char* name;
  std::int64_t size;
};

constexpr std::array<TypeName, 12> type_names{{{NpyType::boolean, "b1", "bool", 1},
                                               {NpyType::i8, "i1", "int8", 1},
                                               {NpyType::i16, "i2", "int16", 2},
                                               {NpyType::i32, "i4", "int32", 4},
                                               {NpyType::i64, "i8", "int64", 8},
                                               {NpyType::u8, "u1", "uint8", 1},
                                               {NpyType::u16, "u2", "uint16", 2},
                                               {NpyType::u32, "u4", "uint32", 4},
                                               {NpyType::u64, "u8", "uint64", 8},
                                               {NpyType::f16, "f2", "float16", 2},
                                               {NpyType::f32, "f4", "float32", 4},
                                               {NpyType::f64, "f8", "float64", 8}}};

const TypeName& entry_of(NpyType type) {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry;
  }
  throw_internal("array type without a name");
}

[[noreturn]] void throw_bad(const std::string& file, const std::string& what) {
  throw_failure(concat(file, ": not a sound .npy file: ", what));
}

/// The header's dictionary: a Python literal of three entries.
struct Header {
  std::string descr;
  bool fortran = false;
  Shape shape;
};

/// Reads the literal and nothing else that Python could evaluate.
class HeaderParser {
 public:
  HeaderParser(const std::string& file, std::string_view text, std::uint64_t start)
      : file_(file), text_(text), start_(start) {}

  Header parse() {
    Header out;
    std::vector<std::string> keys;
    expect('{');
    while (!accept('}')) {
      const std::string key = text();
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) refuse("a key twice");
      keys.push_back(key);
      expect(':');
      if (key == "descr") {
        out.descr = descr();
      } else if (key == "fortran_order") {
        out.fortran = boolean();
      } else if (key == "shape") {
        out.shape = shape();
      } else {
        refuse("an unknown key");
      }
      if (!accept(',') && !at('}')) refuse("neither ',' nor '}'");
    }
    skip_space();
    if (at_ != text_.size()) refuse("something after its dictionary");
    if (keys.size() != 3) refuse("not all of descr, fortran_order and shape");
    return out;
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    throw_bad(file_, concat("its header has ", what, " at byte ", start_ + at_));
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  [[nodiscard]] bool at(char c) {
    skip_space();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool accept(char c) {
    if (!at(c)) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse("an unexpected character");
  }
  std::string text() {
    skip_space();
    if (!at('\'') && !at('"')) refuse("no quoted string");
    const char quote = text_[at_];
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) refuse("a string without a closing quote");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    if (out.find('\\') != std::string::npos) refuse("a string with an escape");
    at_ = end + 1;
    return out;
  }
  std::string descr() {
    if (at('[') || at('(')) {
      throw_bad(file_, "its elements are structures, which are not read; save one plain array");
    }
    return text();
  }
  bool boolean() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    refuse("neither True nor False");
  }
  std::int64_t whole() {
    skip_space();
    const std::size_t first = at_;
    std::int64_t out = 0;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      if (__builtin_mul_overflow(out, 10, &out) ||
          __builtin_add_overflow(out, text_[at_] - '0', &out)) {
        refuse("a dimension beyond 63 bits");
      }
      ++at_;
    }
    if (at_ == first) refuse("no whole number");
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // as Python 2 wrote a long
    return out;
  }
  Shape shape() {
    Shape out;
    expect('(');
    while (!accept(')')) {
      if (out.size() == highest_rank) refuse("more than 64 dimensions");
      out.push_back(whole());
      if (!accept(',') && (out.size() == 1 || !at(')'))) refuse("a shape that is not a tuple");
    }
    return out;
  }

  const std::string& file_;
  std::string_view text_;
  std::uint64_t start_;
  std::size_t at_ = 0;
};

/// The type, and whether its bytes are big endian.
std::pair<NpyType, bool> type_from(const std::string& file, const std::string& descr) {
  if (!descr.empty()) {
    const char order = descr.front();
    for (const TypeName& entry : type_names) {
      if (descr.substr(1) != entry.code) continue;
      if (order == '<' || order == '>' || (order == '|' && entry.size == 1)) {
        return {entry.type, order == '>' && entry.size > 1};
      }
    }
  }
  const bool objects = descr.find('O') != std::string::npos;
  throw_bad(file, concat("its elements are of type '", shown(descr), "'",
                         objects ? " (Python objects)" : "",
                         ", which is not read; known are bool, int8 to int64, uint8 to uint64 and "
                         "float16 to float64"));
}

void swap_bytes(std::string& bytes, std::uint64_t start, std::uint64_t size) {
  for (std::uint64_t at = start; at < bytes.size(); at += size) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
  }
}

/// The elements of a column-major array in row-major order.
std::string row_major(std::string_view from, const Shape& shape, std::uint64_t size) {
  std::string out(from.size(), '\0');
  // In the file the first side runs fastest.
  std::vector<std::uint64_t> stride(shape.size());
  std::uint64_t step = size;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    stride[i] = step;
    step *= static_cast<std::uint64_t>(shape[i]);
  }
  Shape index(shape.size(), 0);
  std::uint64_t source = 0;
  for (std::uint64_t at = 0; at < out.size(); at += size) {
    from.copy(out.data() + at, size, source);
    for (std::size_t i = shape.size(); i-- > 0;) {
      source += stride[i];
      if (++index[i] < shape[i]) break;
      source -= stride[i] * static_cast<std::uint64_t>(shape[i]);
      index[i] = 0;
    }
  }
  return out;
}

/// Bytes that the shape fills. The product of all sides but 0 must fit in 63 bits, even beside a
/// side of 0.
std::uint64_t bytes_of(const std::string& file, const Shape& shape, std::int64_t size) {
  std::int64_t product = size;
  bool empty = false;
  for (const std::int64_t side : shape) {
    empty = empty || side == 0;
    if (side != 0 && __builtin_mul_overflow(product, side, &product)) {
      throw_bad(file, concat("its shape ", shape_text(shape),
                             " needs more bytes than 63 bits can count"));
    }
  }
  return empty ? 0 : static_cast<std::uint64_t>(product);
}

template <class Out, class Stored, class Convert>
std::vector<Out> convert_all(std::string_view data, const Convert& convert) {
  std::vector<Out> out(data.size() / sizeof(Stored));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<Out>(convert(number_at<Stored>(data, i * sizeof(Stored))));
  }
  return out;
}

template <class Out>
std::vector<Out> converted(NpyType type, std::string_view data) {
  const auto plain = [](auto stored) { return stored; };
  switch (type) {
    case NpyType::boolean:
      return convert_all<Out, std::uint8_t>(data, [](std::uint8_t b) { return b != 0 ? 1 : 0; });
    case NpyType::i8: return convert_all<Out, std::int8_t>(data, plain);
    case NpyType::i16: return convert_all<Out, std::int16_t>(data, plain);
    case NpyType::i32: return convert_all<Out, std::int32_t>(data, plain);
    case NpyType::i64: return convert_all<Out, std::int64_t>(data, plain);
    case NpyType::u8: return convert_all<Out, std::uint8_t>(data, plain);
    case NpyType::u16: return convert_all<Out, std::uint16_t>(data, plain);
    case NpyType::u32: return convert_all<Out, std::uint32_t>(data, plain);
    case NpyType::u64: return convert_all<Out, std::uint64_t>(data, plain);
    case NpyType::f16: return convert_all<Out, std::uint16_t>(data, half_to_double);
    case NpyType::f32: return convert_all<Out, float>(data, plain);
    case NpyType::f64: return convert_all<Out, double>(data, plain);
  }
  throw_internal("unknown array type");
}

/// What stands before the elements.
struct Preamble {
  Header header;
  std::uint64_t end = 0;
};

Preamble read_preamble(const std::string& file, std::string_view bytes) {
  if (!bytes.starts_with(magic)) {
    throw_bad(file, "it does not begin with NumPy's signature");
  }
  constexpr std::uint64_t version_end = 8;
  if (bytes.size() < version_end) throw_bad(file, "it is cut off within its version number");
  const int major = static_cast<unsigned char>(bytes[6]);
  const int minor = static_cast<unsigned char>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    throw_bad(file, concat("its version is ", major, ".", minor, "; 1.0, 2.0 and 3.0 are read"));
  }
  const std::uint64_t header_start = version_end + (major == 1 ? 2 : 4);
  if (bytes.size() < header_start) throw_bad(file, "it is cut off within the length of its header");
  const std::uint64_t length = major == 1 ? number_at<std::uint16_t>(bytes, version_end)
                                          : number_at<std::uint32_t>(bytes, version_end);
  if (length > longest_header || !lies_within(header_start, length, bytes.size())) {
    throw_bad(file, concat("its header claims ", length, " bytes; ", bytes.size() - header_start,
                           " follow and at most ", longest_header, " are read"));
  }
  return {HeaderParser(file, bytes.substr(header_start, length), header_start).parse(),
          header_start + length};
}

}  // namespace

const char* to_string(NpyType type) {
  return entry_of(type).name;
}
std::int64_t size_of(NpyType type) {
  return entry_of(type).size;
}

NpyArray NpyArray::read(const std::filesystem::path& path) {
  return parse(path.string(), read_file(path));
}

NpyHeader parse_npy_header(const std::string& file, std::string_view start) {
  const Preamble preamble = read_preamble(file, start);
  const auto [type, swapped] = type_from(file, preamble.header.descr);
  return {.type = type,
          .shape = preamble.header.shape,
          .fortran = preamble.header.fortran,
          .swapped = swapped,
          .start = preamble.end};
}

NpyArray NpyArray::parse(const std::string& file, std::string bytes) {
  const Preamble preamble = read_preamble(file, bytes);
  NpyArray out;
  const auto [type, swapped] = type_from(file, preamble.header.descr);
  out.type_ = type;
  out.shape_ = preamble.header.shape;
  out.start_ = preamble.end;
  const std::uint64_t expected = bytes_of(file, out.shape_, size_of(type));
  if (bytes.size() - out.start_ != expected) {
    throw_bad(file, concat("its shape ", shape_text(out.shape_), " of ", to_string(type), " needs ",
                           expected, " bytes; ", bytes.size() - out.start_,
                           " follow the header at byte ", out.start_));
  }
  const auto size = static_cast<std::uint64_t>(size_of(type));
  if (swapped) swap_bytes(bytes, out.start_, size);
  if (preamble.header.fortran && out.shape_.size() > 1) {
    bytes = row_major(std::string_view{bytes}.substr(out.start_), out.shape_, size);
    out.start_ = 0;
  }
  out.bytes_ = std::move(bytes);
  return out;
}

std::vector<double> NpyArray::doubles() const {
  return converted<double>(type_, data());
}
std::vector<float> NpyArray::floats() const {
  return converted<float>(type_, data());
}

std::string npy_header(NpyType type, const Shape& shape) {
  const TypeName& entry = entry_of(type);
  std::string text = concat("{'descr': '", entry.size == 1 ? '|' : '<', entry.code,
                            "', 'fortran_order': False, 'shape': (");
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i > 0 ? ", " : "", shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  const std::uint64_t before = magic.size() + 4;
  const auto padded = static_cast<std::uint64_t>(round_up(
      static_cast<std::int64_t>(before + text.size() + 1), static_cast<std::int64_t>(alignment)));
  text.resize(padded - before - 1, ' ');
  text += '\n';
  if (text.size() > 0xffff) throw_internal("an array's header is too long for .npy version 1.0");
  std::string out(magic);
  out += '\1';
  out += '\0';
  out += static_cast<char>(text.size() & 0xffU);
  out += static_cast<char>(text.size() >> 8U);
  return out + text;
}

void write_npy(const OutputPath& file, NpyType type, const Shape& shape, std::string_view data) {
  if (static_cast<std::uint64_t>(element_count(shape) * size_of(type)) != data.size()) {
    throw_internal(concat("array ", file.path().filename().string(), " to write has ", data.size(),
                          " bytes, its shape ", shape_text(shape), " of ", to_string(type),
                          " another number"));
  }
  const std::string header = npy_header(type, shape);
  write_file(file, [&](const AppendBytes& append) {
    append(header);
    append(data);
  });
}

}  // namespace medurwkv
