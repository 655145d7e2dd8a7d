// The inputs that a user named for a prediction: files, folders, patterns, a list on the standard
// input. Relies on core/files.h.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

namespace medurwkv::predict {

/// The files and folders that `words` name, in their order: "-" stands for the lines of `list`, and
/// a word with *, ? or [ that is no file itself for the files that fit it, sorted. What fits
/// nothing stays as it is, so that it fails like a file that is not there. Throws Error naming a
/// folder that a pattern leads into and that cannot be listed.
std::vector<std::filesystem::path> expand_inputs(const std::vector<std::string>& words,
                                                 std::istream& list);

}  // namespace medurwkv::predict
