// Words that name patients, and texts without them. Headers of medical images say who was scanned;
// files are often called after that. Whatever is written or shown of such names goes through here.
// Relies on the standard library alone.
#pragma once

#include <string>
#include <string_view>

namespace medurwkv {

/// Set to 1 it keeps names as they are (--keep-identity).
inline constexpr char keep_identity_variable[] = "MEDURWKV_KEEP_IDENTITY";

/// Remembers a name, an identifier or a date of a patient. Words of fewer than 3 letters and digits
/// are looked for in names of files alone. Safe from any thread.
void remember_identity(std::string_view word);

/// A stand-in for an identity: "p-" and 12 hexadecimal digits that follow from it. Whoever has a
/// list of candidates can tell which it was.
std::string pseudonym_of(std::string_view word);

/// The text with every word that was remembered replaced by its pseudonym, without regard to case
/// and to what stands between its parts. As it is where nothing was remembered, or where names are
/// kept.
std::string without_identity(std::string_view text);

/// The same of the name of a file or a case, in which short words are replaced, too.
std::string path_without_identity(std::string_view path);

}  // namespace medurwkv
