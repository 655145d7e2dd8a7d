#include "core/own_library.h"

#include <cstdlib>
#include <system_error>

namespace medurwkv {

namespace fs = std::filesystem;

std::optional<fs::path> own_library(const char* variable, const char* name) {
  if (const char* chosen = std::getenv(variable)) return fs::path(chosen);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (error) return std::nullopt;
  for (const fs::path& place : {program / name, program.parent_path() / "lib/medurwkv" / name}) {
    if (fs::exists(place, error)) return place;
  }
  return std::nullopt;
}

}  // namespace medurwkv
