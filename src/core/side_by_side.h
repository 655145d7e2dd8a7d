// Items worked on side by side, whose results are taken in their order. Relies on core/listener.h.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/listener.h"

namespace medurwkv {

/// Calls work(lane, i) for every i below `count`, each lane on a thread of its own, and
/// take(its result) on the calling thread in the order of i. Few results wait to be taken. When the
/// listener asks to stop, or something throws, nothing more is begun, what was begun is finished
/// and taken, and then Stopped or the first thing thrown is thrown; others are dropped.
template <class Result, class Work, class Take>
void side_by_side(std::size_t lanes, std::size_t count, const Work& work, const Take& take,
                  const Listener& listener) {
  struct Done {
    std::optional<Result> result;
    std::exception_ptr thrown;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::size_t, Done> done;
  std::size_t next = 0;
  std::size_t taken = 0;
  bool closing = false;
  const auto close = [&] {
    const std::scoped_lock lock(mutex);
    closing = true;
    changed.notify_all();
  };
  const auto work_on = [&](std::size_t lane) {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return closing || next >= count || next < taken + 2 * lanes; });
      if (closing || next >= count) return;
      const std::size_t i = next++;
      lock.unlock();
      Done one;
      try {
        one.result.emplace(work(lane, i));
      } catch (...) {
        one.thrown = std::current_exception();
      }
      lock.lock();
      closing = closing || one.thrown;
      done.emplace(i, std::move(one));
      changed.notify_all();
    }
  };
  std::exception_ptr thrown;
  const auto take_next = [&](std::unique_lock<std::mutex>& lock) {
    Done one = std::move(done.extract(taken++).mapped());
    changed.notify_all();
    lock.unlock();
    try {
      if (one.thrown) std::rethrow_exception(one.thrown);
      take(std::move(*one.result));
    } catch (...) {
      if (!thrown) thrown = std::current_exception();
      close();
    }
    lock.lock();
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t lane = 0; lane < lanes; ++lane) threads.emplace_back(work_on, lane);
    std::unique_lock lock(mutex);
    while (taken < count && !(closing && taken == next)) {
      // A signal's handler notifies nobody.
      changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return done.contains(taken); });
      if (listener.stop_signal() != 0) closing = true;
      if (done.contains(taken)) take_next(lock);
    }
    closing = true;
    changed.notify_all();
  }
  if (thrown) std::rethrow_exception(thrown);
  throw_if_stopped(listener);
}

}  // namespace medurwkv
