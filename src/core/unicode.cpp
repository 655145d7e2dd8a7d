#include "core/unicode.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include <utf8proc.h>

#include "core/error.h"

namespace medurwkv {
namespace {

/// Bytes of the character that `text` begins with; below 1 where it begins with none.
std::ptrdiff_t character_at(std::string_view text) {
  utf8proc_int32_t code = 0;
  return utf8proc_iterate(reinterpret_cast<const std::uint8_t*>(text.data()),
                          static_cast<utf8proc_ssize_t>(text.size()), &code);
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::ptrdiff_t bytes = character_at(text);
    if (bytes < 1) return false;
    text.remove_prefix(static_cast<std::size_t>(bytes));
  }
  return true;
}

std::string readable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::ptrdiff_t bytes = character_at(text);
    const std::size_t taken = bytes < 1 ? 1 : static_cast<std::size_t>(bytes);
    out += bytes < 1 ? std::string_view("\xef\xbf\xbd") : text.substr(0, taken);
    text.remove_prefix(taken);
  }
  return out;
}

std::string nfc(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) return std::string(text);
  std::uint8_t* raw = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const std::uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &raw,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> composed(raw, &std::free);
  if (length < 0) return std::string(text);
  return {reinterpret_cast<const char*>(raw), static_cast<std::size_t>(length)};
}

std::string from_utf16(std::string_view bytes, ByteOrder order) {
  if (bytes.size() % 2 != 0) throw_failure("is UTF-16 with half a character at its end");
  const auto unit = [&](std::size_t i) {
    const auto a = static_cast<unsigned char>(bytes[2 * i]);
    const auto b = static_cast<unsigned char>(bytes[2 * i + 1]);
    return static_cast<std::int32_t>(order == ByteOrder::little ? b << 8 | a : a << 8 | b);
  };
  const auto is_first = [](std::int32_t code) { return code >= 0xd800 && code < 0xdc00; };
  const auto is_second = [](std::int32_t code) { return code >= 0xdc00 && code < 0xe000; };
  std::string out;
  const std::size_t count = bytes.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t code = unit(i);
    const bool pair = is_first(code) && i + 1 < count && is_second(unit(i + 1));
    if ((is_first(code) || is_second(code)) && !pair) {
      throw_failure("is UTF-16 with half of a pair of surrogates");
    }
    if (pair) code = 0x10000 + ((code - 0xd800) << 10) + (unit(++i) - 0xdc00);
    std::array<std::uint8_t, 4> utf8{};
    const auto length = utf8proc_encode_char(code, utf8.data());
    out.append(reinterpret_cast<const char*>(utf8.data()), static_cast<std::size_t>(length));
  }
  return out;
}

}  // namespace medurwkv
