#include "core/own_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <system_error>

namespace medurwkv {

namespace fs = std::filesystem;

std::optional<fs::path> own_library(const char* variable, const char* name) {
  if (const char* chosen = std::getenv(variable)) return fs::path(chosen);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!error) {
    for (const fs::path& place : {program / name, program.parent_path() / "lib/medurwkv" / name}) {
      if (fs::exists(place, error)) return place;
    }
  }
  // In a program of somebody else: beside the library that this code is in.
  Dl_info own{};
  if (::dladdr(reinterpret_cast<const void*>(&own_library), &own) == 0) return std::nullopt;
  const fs::path library = fs::path(own.dli_fname).parent_path();
  for (const fs::path& place : {library / name, library / "medurwkv" / name}) {
    if (fs::exists(place, error)) return place;
  }
  return std::nullopt;
}

}  // namespace medurwkv
