// The program's own shared libraries: where they lie, and opening those that read files of a kind.
// Relies on core/error.h.
#pragma once

#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>

namespace medurwkv {

/// What the environment variable names; else beside the program as in a build folder, or in
/// ../lib/medurwkv as installed; else beside the shared library that this code is part of, or in
/// medurwkv/ there. Nothing where it is in none of them.
std::optional<std::filesystem::path> own_library(const char* variable, const char* name);

/// A library that reads files of one kind, opened when the first of them is read.
struct ReadingLibrary {
  const char* variable;  ///< that names it, else it is looked for
  const char* name;      ///< "libmedurwkv_h5.so"
  const char* symbol;    ///< of its one function, which gives its table
  const char* kind;      ///< what it reads: "HDF5"
  const char* remedy;    ///< where it is not there: "build it (with ...) or ..."
};

/// Calls the library's function. Throws Error naming `file`, which is to be read, where the library
/// is not there.
const void* table_of_library(const ReadingLibrary& library, const std::string& file);
/// Throws that the library is of another version.
[[noreturn]] void refuse_library(const ReadingLibrary& library);

/// The library's table, whose member `abi` must be the one given.
template <class Table>
const Table& open_library(const ReadingLibrary& library, int abi, const std::string& file) {
  const auto& table = *static_cast<const Table*>(table_of_library(library, file));
  if (table.abi != abi) refuse_library(library);
  return table;
}

/// In such a library: 0, or 1 after an exception, whose text goes to `message`. None leaves it.
template <class Call>
int guarded(char* message, std::size_t size, const Call& call) {
  try {
    call();
    return 0;
  } catch (const std::exception& error) {
    std::snprintf(message, size, "%s", error.what());
    return 1;
  }
}

}  // namespace medurwkv
