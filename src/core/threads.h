// The one way our own code runs a loop on several threads: with OpenMP (libgomp, the pool that
// LibTorch and oneDNN use) or, where the build has none (clang, fuzz and tsan presets), with
// std::jthread. Relies on Linux's sched.h and, where there, OpenMP.
#pragma once

#include <cstdint>
#include <functional>

namespace medurwkv {

/// Threads that parallel_for uses; at least 1. Set once at start, before computing.
void set_thread_count(int count);
int thread_count();

/// Tells OpenMP of the calling thread the same number, for libraries that run loops of their own
/// (oneDNN).
void tell_openmp();

/// Cores this process may run on.
int available_cores();

/// Calls body(begin, end) on disjoint parts that cover [0, count). The parts depend on `count` and
/// thread_count() alone, so the same settings give the same bits. When parts throw, the exception
/// of the first of them is rethrown after all have ended.
void parallel_for(std::int64_t count,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

}  // namespace medurwkv
