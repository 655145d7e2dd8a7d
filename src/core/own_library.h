// Where the program's own shared libraries lie. Relies on the standard library.
#pragma once

#include <filesystem>
#include <optional>

namespace medurwkv {

/// What the environment variable names; else beside the program as in a build folder, or in
/// ../lib/medurwkv as installed; else beside the shared library that this code is part of, or in
/// medurwkv/ there. Nothing where it is in none of them.
std::optional<std::filesystem::path> own_library(const char* variable, const char* name);

}  // namespace medurwkv
