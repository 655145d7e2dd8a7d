// Images and masks by the names of their files and folders, and the pairs they make. No file is
// opened here; the rules are in docs/read-data.md. Relies on data/layout/layout.h.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "data/layout/layout.h"

namespace medurwkv::data {

/// Whether the files (two at least) all hold the same bytes. Asked only where masks of the same
/// images lie in two places: what is alike for every image is a field of view, not the truth.
using AllAlike = std::function<bool(const std::vector<std::filesystem::path>&)>;

/// Pairs `files`, which lie below `root`, sorted. Fills the cases of `layout`, what has no partner,
/// classes where masks lie in a folder per class; and names in `broken` what has two readings. Each
/// picture ends in one place: in a case, without a partner, ambiguous, unlabelled or passed.
void pair_files(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                const AllAlike& all_alike, Layout& layout);

}  // namespace medurwkv::data
