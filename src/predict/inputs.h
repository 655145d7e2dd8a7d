// What a user named to be predicted: files, folders, patterns, a list on the standard input. Relies
// on the C library's glob.
#pragma once

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

namespace medurwkv::predict {

/// The files and folders that `words` name, in their order: "-" stands for the lines of `list`, and
/// a word with *, ? or [ that is no file itself for the files that fit it, sorted. What fits
/// nothing stays as it is, so that it fails like a file that is not there.
std::vector<std::filesystem::path> expand_inputs(const std::vector<std::string>& words,
                                                 std::istream& list);

}  // namespace medurwkv::predict
