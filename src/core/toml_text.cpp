#include "core/toml_text.h"

#include <algorithm>

#include "core/text.h"

namespace medurwkv::data {
namespace {

/// toml++ bounds nested brackets, but not the dots of a key, each of which nests a table.
constexpr std::ptrdiff_t most_dots = 4000;

}  // namespace

toml::table parse_toml(const std::string& file, const std::string& text, ErrorKind kind) {
  if (text.size() > longest_toml) {
    throw Error(kind, concat(file, ": has ", text.size(), " bytes, more than the ", longest_toml,
                             " that are read of such a file"));
  }
  if (const auto dots = std::count(text.begin(), text.end(), '.'); dots > most_dots) {
    throw Error(kind, concat(file, ": holds ", dots, " dots, more than the ", most_dots,
                             " that are read in such a file"));
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw Error(
        kind, concat(file, ": line ", error.source().begin.line, ": ", shown(error.description())));
  }
}

}  // namespace medurwkv::data
