// Small text helpers: building messages, numbers with fixed digits, the nearest known name.
// Relies on the standard library alone.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace medurwkv {

/// All arguments streamed one after the other.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// `value` with `digits` decimals, independent of the locale.
std::string fixed(double value, int digits);

/// 14330530 -> "14,330,530".
std::string with_thousands(std::int64_t value);

/// Bytes as "12.3 MB" (powers of 1000).
std::string human_bytes(double bytes);

/// Seconds as "1 h 02 min", "3 min 04 s" or "5 s".
std::string human_seconds(double seconds);

/// `text` with every character escaped, as \u001b, that a terminal obeys and does not show: control
/// characters but for line feed and tab, marks that change the direction of writing, Unicode's ends
/// of lines. A byte that is no UTF-8 becomes \xff. JSON keeps its meaning.
std::string visible(std::string_view text);

/// As visible(), on one line: a line feed becomes \n, a tab \t.
std::string one_line(std::string_view text);

/// As one_line(), for a name or a text out of a foreign file: cut after 300 bytes.
std::string shown(std::string_view text);

/// Bytes of an unfinished UTF-8 character at the end of `text`: 0 to 3.
std::size_t unfinished_utf8(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
std::string trim(std::string_view text);
std::string lower(std::string_view text);
std::string upper(std::string_view text);

/// The candidate with the smallest edit distance to `name`; empty if none is close enough to help.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// ", did you mean X?" for the nearest candidate, or "; known: a, b, c" when none is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

/// "3 masks", "1 mask".
std::string counted(std::int64_t count, const std::string& thing);

/// As a word of a shell's command line.
std::string shell_quoted(const std::string& text);

}  // namespace medurwkv
