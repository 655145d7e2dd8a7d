// Lists and tables of others that name cases: which part a case is in, and which patient it is of.
// Relies on data/layout/layout.h and data/layout/case_names.h.
#pragma once

#include <filesystem>
#include <vector>

#include "data/layout/layout.h"

namespace medurwkv::data {

/// train.txt, val.txt, test.txt and their kin (docs/read-data.md) give parts, where folders gave
/// none. Lines that name nothing are noted; a list that names nothing, a name that several cases
/// share and a case in two lists are broken. Where no list of train is, cases that no list names
/// are train; else they are in no part. Both are noted.
void add_lists(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
               Layout& layout);

/// metadata.csv, Grade.csv (GlaS), groups.csv and patients.csv: the group of each case they name. A
/// table that cannot be read, or names groups but no case, is broken.
void add_groups(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                Layout& layout);

}  // namespace medurwkv::data
