#include "predict/inputs.h"

#include <glob.h>

#include <span>
#include <system_error>

namespace medurwkv::predict {

namespace {

namespace fs = std::filesystem;

/// glob's answer, which wants to be given back.
class Matches {
 public:
  explicit Matches(const std::string& pattern) { ::glob(pattern.c_str(), 0, nullptr, &found_); }
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;
  Matches(Matches&&) = delete;
  Matches& operator=(Matches&&) = delete;
  ~Matches() { ::globfree(&found_); }
  [[nodiscard]] std::span<char*> paths() const { return {found_.gl_pathv, found_.gl_pathc}; }

 private:
  glob_t found_{};
};

void add(const std::string& word, std::vector<fs::path>& out) {
  std::error_code error;
  const bool pattern =
      word.find_first_of("*?[") != std::string::npos && !fs::exists(fs::path(word), error);
  const std::size_t before = out.size();
  if (pattern) {
    const Matches matches(word);
    for (const char* path : matches.paths()) out.emplace_back(path);
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
