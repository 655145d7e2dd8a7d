// What the subcommands of `medurwkv data` share, one file each. Relies on cli/command.h and
// app/set.h.
#pragma once

#include <string>

#include "app/set.h"
#include "cli/command.h"

namespace medurwkv::cli {

/// The folder, --mask-encoding, --class-names and --classes.
void add_set_options(CLI::App& command, app::SetRequest& set);
/// --mask-encoding, --class-names and --classes alone.
void add_mask_options(CLI::App& command, app::SetRequest& set);
/// --plane; add_set_options has it.
void add_plane_option(CLI::App& command, app::SetRequest& set);

void add_data_check(CLI::App& data);
void add_data_split(CLI::App& data);
void add_data_pack(CLI::App& data);
void add_data_preview(CLI::App& data);

}  // namespace medurwkv::cli
