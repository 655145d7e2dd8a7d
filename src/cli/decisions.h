// The options that say how a model's answers become masks, of predict and evaluate. Relies on
// app/segmenting.h.
#pragma once

#include "app/segmenting.h"
#include "cli/command.h"

namespace medurwkv::cli {

/// --threshold, --fill-holes, --largest, --min-area, --tta, --ensemble.
void add_decisions(CLI::App& command, app::Segmenting& how);

}  // namespace medurwkv::cli
