// Parsing TOML files of others, within bounds. Relies on core/error.h and toml++.
#pragma once

#include <string>

#include <toml++/toml.h>

#include "core/error.h"

namespace medurwkv::data {

/// In bytes. No file of settings or classes comes near. Parsing takes up to 250 bytes of memory for
/// each byte of text.
inline constexpr std::size_t longest_toml = 1 << 17;

/// Parses `text`. Throws an Error of `kind` that names `file` and the line, also where the text is
/// longer than longest_toml or nested so deep (a.b.c.d ...) that walking it would end the process.
toml::table parse_toml(const std::string& file, const std::string& text, ErrorKind kind);

}  // namespace medurwkv::data
