#include "predict/inputs.h"

#include <fnmatch.h>

#include <system_error>

#include "core/files.h"

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;

bool is_pattern(const std::string& word) {
  return word.find_first_of("*?[") != std::string::npos;
}

/// What fits `pattern`, sorted. The C library's glob would silently skip folders that it cannot
/// list, or not completely.
std::vector<fs::path> matches(const fs::path& pattern) {
  std::vector<fs::path> found{fs::path()};
  for (const fs::path& part : pattern) {
    std::vector<fs::path> next;
    for (const fs::path& folder : found) {
      std::error_code error;
      if (!is_pattern(part.string())) {
        next.push_back(folder / part);
        continue;
      }
      const fs::path listed = folder.empty() ? fs::path(".") : folder;
      const fs::file_type type = fs::status(listed, error).type();
      const bool unknown = error && type != fs::file_type::not_found;
      if (type != fs::file_type::directory && !unknown) continue;
      for (const fs::path& entry : list_folder(listed)) {
        if (::fnmatch(part.c_str(), entry.filename().c_str(), FNM_PERIOD) != 0) continue;
        next.push_back(folder / entry.filename());
      }
    }
    found = std::move(next);
  }
  std::erase_if(found, [](const fs::path& path) {
    std::error_code error;
    return !fs::exists(fs::symlink_status(path, error));
  });
  return found;
}

void add(const std::string& word, std::vector<fs::path>& out) {
  std::error_code error;
  const std::size_t before = out.size();
  if (is_pattern(word) && !fs::exists(fs::path(word), error)) {
    for (fs::path& path : matches(word)) out.push_back(std::move(path));
  }
  if (out.size() == before) out.emplace_back(word);
}

}  // namespace

std::vector<fs::path> expand_inputs(const std::vector<std::string>& words, std::istream& list) {
  std::vector<fs::path> out;
  for (const std::string& word : words) {
    if (word != "-") {
      add(word, out);
      continue;
    }
    for (std::string line; std::getline(list, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) out.emplace_back(line);
    }
  }
  return out;
}

}  // namespace medurwkv::predict
