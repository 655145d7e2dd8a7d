// A set as every command opens it: found, paired, and refused for what `data check` calls an error.
// Relies on data/check/faults.h.
#pragma once

#include <filesystem>

#include "core/listener.h"
#include "data/check/examine.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

/// Finds images and masks, pairs them by name, decides the encoding over all masks; or opens a pack
/// (data/layout/pack.h). Throws Error for a folder without pairs, with the choices for unclear
/// masks, and for the first error that `data check` finds in names and masks.
Dataset open_dataset(const std::filesystem::path& root, const DatasetOptions& options = {});

}  // namespace medurwkv::data
