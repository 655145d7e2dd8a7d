// The little that a self-contained HTML page needs. Relies on the standard library alone.
#pragma once

#include <string>
#include <string_view>

namespace medurwkv::judge {

/// Text made safe between tags and in double-quoted attributes. Bytes that are not UTF-8 and
/// control characters become U+FFFD, so that the page is always valid UTF-8.
std::string html_escape(std::string_view text);

/// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

}  // namespace medurwkv::judge
