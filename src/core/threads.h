// The one way our own code runs a loop on several threads: with OpenMP (libgomp, the pool that
// LibTorch and oneDNN use) or, where the build has none (clang, fuzz and tsan presets), with
// std::jthread. Relies on Linux's sched.h and, where there, OpenMP.
#pragma once

#include <cstdint>
#include <type_traits>

namespace medurwkv {

/// Threads that parallel_for uses; at least 1. Set once at start, before computing. A forked
/// process has one until it sets another number, which it may only where its parent has run no loop
/// yet.
void set_thread_count(int count);
int thread_count();

/// While it lives, thread_count() is another number for the calling thread.
class ThreadsHere {
 public:
  explicit ThreadsHere(int count);
  ThreadsHere(const ThreadsHere&) = delete;
  ThreadsHere& operator=(const ThreadsHere&) = delete;
  ThreadsHere(ThreadsHere&&) = delete;
  ThreadsHere& operator=(ThreadsHere&&) = delete;
  ~ThreadsHere();

 private:
  int before_;
};

/// Tells OpenMP of the calling thread the same number, for libraries that run loops of their own
/// (oneDNN).
void tell_openmp();

/// Cores this process may run on.
int available_cores();

/// Parts that parallel_for cuts [0, count) into: at most thread_count().
std::int64_t parts_of(std::int64_t count);

using RunPart = void (*)(const void* body, std::int64_t begin, std::int64_t end, std::int64_t part);
void run_parts(std::int64_t count, RunPart run, const void* body);

/// Calls body(begin, end), or body(begin, end, part) with the part's number below parts_of(count),
/// on disjoint parts that cover [0, count). The parts depend on `count` and thread_count() alone,
/// so the same settings give the same bits. When parts throw, the exception of the first of them is
/// rethrown after all have ended. With OpenMP it allocates no memory.
template <class Body>
void parallel_for(std::int64_t count, const Body& body) {
  const auto run = [](const void* of, std::int64_t begin, std::int64_t end, std::int64_t part) {
    const Body& mine = *static_cast<const Body*>(of);
    if constexpr (std::is_invocable_v<const Body&, std::int64_t, std::int64_t, std::int64_t>) {
      mine(begin, end, part);
    } else {
      mine(begin, end);
    }
  };
  run_parts(count, run, &body);
}

}  // namespace medurwkv
