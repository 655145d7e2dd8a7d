#include "app/places.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::app {

namespace fs = std::filesystem;

void check_output(const fs::path& file, bool force) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    throw_usage(concat(file.string(), ": is a folder; name a file"));
  }
  if (is_there(file) && !force) {
    throw_usage(concat(file.string(), ": exists already; --force replaces it"));
  }
  fs::path folder = fs::absolute(file).parent_path();
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, ignored))
    throw_failure(concat(folder.string(), ": is not a folder"));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw_failure(concat(folder.string(),
                         ": cannot write into it: ", std::generic_category().message(errno)));
  }
}

void prepare_folder(const OutputPath& folder, const std::vector<std::string>& names) {
  make_folder(folder);
  remove_leftovers(folder, names);
}

void prepare_file(const OutputPath& file) {
  prepare_folder(file.folder(), {file.path().filename().string()});
}

}  // namespace medurwkv::app
