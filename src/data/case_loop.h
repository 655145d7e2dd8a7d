// The loop over a set's cases that every command of data makes. Relies on core.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "core/stop.h"

namespace medurwkv::data {

/// body(i) for every i below `count`, the next free one to the next free thread, with progress
/// named `what`. Throws what a body threw for the smallest i, and Stopped.
void for_each_case(std::size_t count, const std::string& what, bool quiet, const StopSignal& stop,
                   const std::function<void(std::size_t)>& body);

}  // namespace medurwkv::data
