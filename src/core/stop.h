// Ctrl-C, SIGTERM and SIGHUP as a value that long work looks at between steps. Relies on the
// standard library alone; the program waits for the signals (cli/main.cpp).
#pragma once

#include <atomic>

namespace medurwkv {

/// 0 while work goes on, else the signal number (SIGHUP 1, SIGINT 2, SIGTERM 15).
using StopSignal = std::atomic<int>;
static_assert(StopSignal::is_always_lock_free);

/// Thrown by long work that saw the signal; the program exits with 128 + signal.
struct Stopped {
  int signal = 0;
};

inline void throw_if_stopped(const StopSignal& stop) {
  if (const int signal = stop.load(std::memory_order_relaxed); signal != 0) throw Stopped{signal};
}

}  // namespace medurwkv
