// Outputs of a model that overlap. Relies on the standard library alone.
#pragma once

#include <cstdint>
#include <vector>

namespace medurwkv {

/// One output per foreground class i = 1, 2, ...: the classes whose union it is to find. They are i
/// itself and any after it, so that a pixel's class is that of the last region it is in. None: one
/// output per class, of which one is true.
using Regions = std::vector<std::vector<std::int64_t>>;

}  // namespace medurwkv
