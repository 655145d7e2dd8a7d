// TOML of others, within bounds. Relies on toml++.
#pragma once

#include <string>

#include <toml++/toml.h>

#include "core/error.h"

namespace medurwkv::data {

/// No file of settings or classes comes near; parsers take up to 250 bytes for one of such a text.
inline constexpr std::size_t longest_toml = 1 << 17;

/// The table that `text` says. Throws an Error of `kind` that names `file` and the line, also where
/// the text is longer than longest_toml or nested so deep (a.b.c.d ...) that walking it would end
/// the process.
toml::table parse_toml(const std::string& file, const std::string& text, ErrorKind kind);

}  // namespace medurwkv::data
