// Unicode: one form for equal names, UTF-16 as UTF-8. Relies on utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace medurwkv {

/// Canonical composition (NFC). macOS may write an umlaut as letter and mark (NFD), everybody else
/// writes one character; both give the same text here. ASCII and text that is not UTF-8 stay as
/// they are.
std::string nfc(std::string_view text);

/// True for valid UTF-8, the only text that JSON and our reports can hold.
bool is_utf8(std::string_view text);

/// `text` with U+FFFD in place of what is not UTF-8, for JSON and messages.
std::string readable(std::string_view text);

enum class ByteOrder { little, big };

/// UTF-16 without its byte order mark as UTF-8. Throws Error for half a character.
std::string from_utf16(std::string_view bytes, ByteOrder order);

}  // namespace medurwkv
