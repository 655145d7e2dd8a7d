// Checks and prepares the places of results before the work. Relies on core/output.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/output.h"

namespace medurwkv::app {

/// Refuses a file to write: one that exists (unless `force`), a folder, and one whose folder cannot
/// be written into or made. Throws Error.
void check_output(const std::filesystem::path& file, bool force);

/// Makes the folder that the files are to be written into, and removes temporary files that killed
/// writers of them have left.
void prepare_folder(const OutputPath& folder, const std::vector<std::string>& names);
/// The same for one file.
void prepare_file(const OutputPath& file);

}  // namespace medurwkv::app
