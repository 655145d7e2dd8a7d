#include "core/threads.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace medurwkv {
namespace {

std::atomic<int> configured_threads{0};
thread_local int threads_here = 0;  ///< 0: as configured

/// Nothing thrown may leave a thread of its own: what the first part threw is kept.
class FirstThrown {
 public:
  void keep(std::int64_t part, std::exception_ptr thrown) {
    const std::scoped_lock lock(mutex_);
    if (thrown_ && part_ < part) return;
    part_ = part;
    thrown_ = std::move(thrown);
  }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  std::mutex mutex_;
  std::int64_t part_ = 0;
  std::exception_ptr thrown_;
};

/// OpenMP's threads do not live on in a forked process, where it would wait for them for ever.
[[maybe_unused]] const int one_thread_after_fork = pthread_atfork(nullptr, nullptr, [] {
  set_thread_count(1);
  tell_openmp();
});

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
  if (threads_here > 0) return threads_here;
  const int count = configured_threads;
  return count > 0 ? count : available_cores();
}

ThreadsHere::ThreadsHere(int count) : before_(threads_here) {
  threads_here = std::max(1, count);
}

ThreadsHere::~ThreadsHere() {
  threads_here = before_;
}

void tell_openmp() {
#ifdef _OPENMP
  omp_set_num_threads(thread_count());
#endif
}

std::int64_t parts_of(std::int64_t count) {
  return std::min<std::int64_t>(thread_count(), count);
}

void run_parts(std::int64_t count, RunPart run, const void* body) {
  const int threads = thread_count();
  const std::int64_t parts = std::min<std::int64_t>(threads, count);
  if (parts <= 1) {
    if (count > 0) run(body, 0, count, 0);
    return;
  }
  FirstThrown thrown;
  const auto run_part = [&](std::int64_t part) {
    try {
      run(body, count * part / parts, count * (part + 1) / parts, part);
    } catch (...) {
      thrown.keep(part, std::current_exception());
    }
  };
#ifdef _OPENMP
  // Always the whole team: where a team is smaller than the one before it, libgomp ends threads and
  // allocates anew.
#pragma omp parallel for num_threads(threads) schedule(static, 1)
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
  thrown.rethrow();
}

}  // namespace medurwkv
