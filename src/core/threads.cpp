#include "core/threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace medurwkv {
namespace {

std::atomic<int> configured_threads{0};

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

void set_thread_count(int count) {
  configured_threads = std::max(1, count);
}

int thread_count() {
  const int count = configured_threads;
  return count > 0 ? count : available_cores();
}

void tell_openmp() {
#ifdef _OPENMP
  omp_set_num_threads(thread_count());
#endif
}

void parallel_for(std::int64_t count,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  const std::int64_t parts = std::min<std::int64_t>(thread_count(), count);
  if (parts <= 1) {
    if (count > 0) body(0, count);
    return;
  }
  // Nothing thrown may leave a thread of its own.
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(parts));
  const auto run_part = [&](std::int64_t part) {
    try {
      body(count * part / parts, count * (part + 1) / parts);
    } catch (...) {
      thrown[static_cast<std::size_t>(part)] = std::current_exception();
    }
  };
#ifdef _OPENMP
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (std::int64_t part = 0; part < parts; ++part) run_part(part);
#else
  {
    std::vector<std::jthread> workers;
    for (std::int64_t part = 1; part < parts; ++part) {
      workers.emplace_back([&run_part, part] { run_part(part); });
    }
    run_part(0);
  }
#endif
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace medurwkv
