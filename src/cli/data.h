// What the subcommands of `medurwkv data` share, one file each. Relies on cli/command.h and
// data/dataset.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/command.h"
#include "data/dataset.h"

namespace medurwkv::cli {

/// A set and what its masks mean.
struct SetOptions {
  std::string folder, encoding, class_names, class_file;
};

void add_set_options(CLI::App& command, SetOptions& options);
data::DatasetOptions dataset_options(const SetOptions& options);

/// Refuses a file to write, before the work: one that exists (unless `force`), a folder, and one
/// whose folder cannot be written into or made.
void check_output(const std::filesystem::path& file, bool force);

/// "3 masks", "1 mask".
std::string counted(std::int64_t count, const std::string& thing);

void add_data_check(CLI::App& data);
void add_data_split(CLI::App& data);
void add_data_pack(CLI::App& data);
void add_data_preview(CLI::App& data);

}  // namespace medurwkv::cli
