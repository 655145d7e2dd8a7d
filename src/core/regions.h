// Outputs of a model that may overlap: regions, each the union of some classes. Relies on
// core/text.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv {

/// Per foreground class i = 1, 2, ...: the classes whose union output i finds. They are i itself
/// and any after it, so a pixel's class is that of the last region it is in. Empty: the model has
/// one output per class, and each pixel has one class.
using Regions = std::vector<std::vector<std::int64_t>>;

/// What is wrong with the regions of a set of `classes`, the background counted; empty where
/// nothing is.
std::string wrong_regions(const Regions& regions, std::int64_t classes);

}  // namespace medurwkv
