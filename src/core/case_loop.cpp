#include "core/case_loop.h"

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

#include "core/threads.h"

namespace medurwkv::data {

void for_each_case(std::size_t count, const std::string& what, Listener& listener,
                   const std::function<void(std::size_t)>& body) {
  std::mutex mutex;
  std::int64_t done = 0;
  std::size_t failed = count;
  std::exception_ptr error;
  std::atomic<std::size_t> next{0};
  // Cases are taken in order, so all before a failed one are finished or being worked on.
  std::atomic<bool> go_on{true};
  parallel_for(thread_count(), [&](std::int64_t /*begin*/, std::int64_t /*end*/) {
    for (std::size_t i = next++; i < count && listener.stop_signal() == 0 && go_on; i = next++) {
      try {
        body(i);
        const std::lock_guard lock(mutex);
        ++done;
        if (!what.empty()) {
          listener.progress(what, done, static_cast<std::int64_t>(count), "");
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        go_on = false;
        if (i < failed) {
          failed = i;
          error = std::current_exception();
        }
      }
    }
  });
  throw_if_stopped(listener);
  if (error) std::rethrow_exception(error);
}

}  // namespace medurwkv::data
