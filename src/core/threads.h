// The one way our own code runs a loop on several threads. With OpenMP (libgomp, the same pool that
// LibTorch and oneDNN use) or, where the build has none (clang, fuzz and tsan presets), on
// std::thread. Relies on the standard library alone.
#pragma once

#include <cstdint>
#include <functional>

namespace medurwkv {

/// Threads that parallel_for uses; at least 1. Set once at start, before computing.
void set_thread_count(int count);
int thread_count();

/// Cores this process may run on.
int available_cores();

/// Calls body(begin, end) on disjoint parts that cover [0, count). The parts depend on `count` and
/// thread_count() alone, so the same settings give the same bits. `body` must not throw.
void parallel_for(std::int64_t count,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

}  // namespace medurwkv
