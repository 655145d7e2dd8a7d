// Names of files made from texts of somebody else: ids of cases, stems of images, names in
// archives. Relies on core/error.h, core/text.h and, for the hash, core/files.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace medurwkv {

/// Bytes that one name in a folder may have (NAME_MAX).
inline constexpr std::size_t longest_name = 255;

/// `name` in at most `room` bytes (at least 32): as it is where it fits, else its beginning and a
/// hash of all of it. Different names stay different.
std::string shortened(std::string_view name, std::size_t room);

/// One component: `stem`, shortened where that must be, and `suffix`; longest_name bytes at most.
/// A separator or zero byte of the stem becomes '_'.
std::string file_name(std::string_view stem, std::string_view suffix);

/// Why `text` cannot be a relative path that stays below a folder, as "is absolute" or "holds
/// '..'"; empty where it can.
std::string why_no_path(std::string_view text);

/// `text` as a relative path. Its last component becomes file_name(component, `suffix`); those
/// before it are shortened. Throws Error naming the text where why_no_path gives a reason.
std::filesystem::path file_path(std::string_view text, std::string_view suffix);

}  // namespace medurwkv
