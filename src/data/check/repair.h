// A repaired copy of a set, behind `data check --fix`. Relies on data/check/examine.h and
// data/check/checks.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/listener.h"
#include "data/check/examine.h"

namespace medurwkv::data {

/// What was done to one case or file, and why.
struct Repair {
  std::string where;
  std::string what;  ///< "left out: ...", "mask resized from ...", ...
};

struct RepairReport {
  std::int64_t written = 0;  ///< pairs in the copy
  std::vector<Repair> repairs;
};

/// Throws a usage Error unless `out` is new or an empty folder.
void check_repair_folder(const std::filesystem::path& out);

/// Writes into `out` (new or empty, outside the set) images/ and masks/, below train/, val/ and
/// test/ where the set has parts: every pair that can be trusted. Images are copied as they are,
/// under the suffix of their contents; masks become PNGs of one encoding. Left out, and listed in
/// repairs.json, is what cannot be read or has no partner, all but one of equal pairs, equal images
/// with different masks, and, of twins in two parts, the one in the earlier part (train, val,
/// test). A mask of the image's shape but not its size is resized (nearest neighbour) and listed.
/// Names that collide or are no UTF-8 are changed. A set of volumes is written as
/// data/check/repair_volumes.h says. The source is not touched. Throws Error when a
/// file cannot be written and for sets of arrays and of several files per image; Stopped. Then
/// `out` is as it was.
RepairReport write_repaired(const Examination& set, const std::filesystem::path& out,
                            Listener& listener);

}  // namespace medurwkv::data
