#include "core/file_name.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv {

std::string shortened(std::string_view name, std::size_t room) {
  if (name.size() <= room) return std::string(name);
  constexpr std::size_t digits = 16;
  std::size_t kept = room - std::min(room, digits + 1);
  // Not within a character of UTF-8, which some file systems insist on.
  while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xc0U) == 0x80U) --kept;
  return concat(name.substr(0, kept), "~", sha256(name).substr(0, digits));
}

std::string file_name(std::string_view stem, std::string_view suffix) {
  std::string plain(stem);
  std::replace(plain.begin(), plain.end(), '/', '_');
  std::replace(plain.begin(), plain.end(), '\0', '_');
  return concat(shortened(plain, longest_name - std::min(longest_name, suffix.size())), suffix);
}

std::string why_no_path(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.starts_with('/')) return "is absolute";
  if (text.find('\0') != std::string_view::npos) return "holds a zero byte";
  for (const std::string& part : split(text, '/')) {
    if (part.empty()) return "has a folder without a name";
    if (part == "." || part == "..") return concat("holds '", part, "'");
  }
  return {};
}

std::filesystem::path file_path(std::string_view text, std::string_view suffix) {
  if (const std::string reason = why_no_path(text); !reason.empty()) {
    throw_failure(
        concat("the name '", shown(text), "' ", reason, ", so no file is named after it"));
  }
  const std::vector<std::string> parts = split(text, '/');
  std::filesystem::path out;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) out /= shortened(parts[i], longest_name);
  return out / file_name(parts.back(), suffix);
}

}  // namespace medurwkv
