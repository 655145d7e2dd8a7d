#include "judge/csv.h"

#include <charconv>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::judge {

namespace fs = std::filesystem;

std::vector<std::vector<std::string>> read_csv(const fs::path& file) {
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;
  const std::string text = read_file(file, most_bytes);
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row{""};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        row.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        row.back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      row.emplace_back();
    } else if (c == '\n') {
      rows.push_back(std::move(row));
      row = {""};
    } else if (c != '\r') {
      row.back() += c;
    }
  }
  if (row.size() > 1 || !row.front().empty()) rows.push_back(std::move(row));
  return rows;
}

std::optional<double> number_of(const fs::path& file, const std::string& text) {
  if (text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw_failure(concat(file.string(), ": ", shown(text), " is no number"));
  }
  return value;
}

std::size_t column_of(const fs::path& file, const std::vector<std::string>& heads,
                      const std::string& name) {
  for (std::size_t i = 0; i < heads.size(); ++i) {
    if (heads[i] == name) return i;
  }
  throw_failure(concat(file.string(), ": has no column ", name, "; it has ", join(heads, ", ")));
}

}  // namespace medurwkv::judge
