// A loop over the cases of a set, on all threads. Relies on core/listener.h and core/threads.h.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "core/listener.h"

namespace medurwkv::data {

/// Calls body(i) for every i below `count`; a free thread takes the next i. Reports progress as
/// `what`, unless that is empty. Throws Stopped, else what the body with the smallest i threw.
void for_each_case(std::size_t count, const std::string& what, Listener& listener,
                   const std::function<void(std::size_t)>& body);

}  // namespace medurwkv::data
