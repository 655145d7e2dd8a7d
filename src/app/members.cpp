#include "app/members.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::app {
namespace {

namespace fs = std::filesystem;

// The number K of a folder named `kind`K; none for other names.
std::optional<int> numbered(const fs::path& folder, const std::string& kind) {
  const std::string name = folder.filename().string();
  constexpr std::size_t most_digits = 9;
  const std::size_t digits = name.size() - std::min(name.size(), kind.size());
  if (!name.starts_with(kind) || digits == 0 || digits > most_digits ||
      name.find_first_not_of("0123456789", kind.size()) != std::string::npos) {
    return std::nullopt;
  }
  return std::stoi(name.substr(kind.size()));
}

std::vector<std::pair<int, fs::path>> numbered_folders(const fs::path& folder,
                                                       const std::string& kind) {
  std::vector<std::pair<int, fs::path>> out;
  for (const fs::path& entry : list_folder(folder)) {
    const auto number = numbered(entry, kind);
    if (number && fs::is_directory(entry)) out.emplace_back(*number, entry);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Member member_in(const fs::path& series, const fs::path& run, int fold) {
  Member out{run.lexically_relative(series).generic_string(), run / "best.model", fold};
  if (!fs::is_regular_file(out.model)) {
    throw_failure(concat(run.string(),
                         ": this run of the series has no best.model yet; train on "
                         "with `medurwkv train --resume`"));
  }
  return out;
}

void add_seeds(const fs::path& series, const fs::path& folder, int fold,
               std::vector<Member>& members) {
  for (const auto& [number, run] : numbered_folders(folder, "seed")) {
    members.push_back(member_in(series, run, fold));
  }
}

}  // namespace

std::vector<Member> members_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {{"", path, 0}};
  if (fs::is_regular_file(path / "best.model", error)) return {{"", path / "best.model", 0}};
  std::vector<Member> out;
  for (const auto& [fold, folder] : numbered_folders(path, "fold")) {
    const std::size_t before = out.size();
    add_seeds(path, folder, fold, out);
    if (out.size() == before) out.push_back(member_in(path, folder, fold));
  }
  add_seeds(path, path, 0, out);
  if (out.empty()) {
    throw_failure(
        concat(path.string(),
               ": holds no best.model and no runs foldK or seedS; name a model file or the "
               "folder that `medurwkv train --out` wrote"));
  }
  return out;
}

}  // namespace medurwkv::app
