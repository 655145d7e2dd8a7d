#include "core/own_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <system_error>

#include "core/error.h"
#include "core/text.h"

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

const void* table_of_library(const ReadingLibrary& library, const std::string& file) {
  const auto path = own_library(library.variable, library.name);
  // Opened once; later it is only counted.
  void* handle = path ? ::dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (handle == nullptr) {
    throw_failure(concat(file, ": is ", library.kind, ", which ", library.name, " reads; ",
                         path ? ::dlerror() : "it is not beside the program", "; ",
                         library.remedy));
  }
  using Entry = const void* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(handle, library.symbol));
  if (entry == nullptr) refuse_library(library);
  return entry();
}

void refuse_library(const ReadingLibrary& library) {
  const auto path = own_library(library.variable, library.name);
  throw_failure(concat(path ? path->string() : library.name,
                       ": is of another version than the program; build both "
                       "together with `make build`"));
}

}  // namespace medurwkv
