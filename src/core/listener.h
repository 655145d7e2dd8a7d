// How long work reports to its caller, and learns that it should stop. Nothing but the program
// itself prints: a library and a server have listeners of their own. Relies on core/stop.h.
#pragma once

#include <cstdint>
#include <string>

#include "core/stop.h"

namespace medurwkv {

/// The calls come one at a time, but not all from the thread that began the work.
class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  Listener(Listener&&) = delete;
  Listener& operator=(Listener&&) = delete;
  virtual ~Listener() = default;

  /// A line for people. It may be dropped.
  virtual void line(const std::string& text) = 0;
  /// A part of the work failed, and the work goes on.
  virtual void failure(const std::string& text) = 0;
  /// `done` of `total` steps (0: unknown) of the work `what` are finished; `detail` names the last
  /// one.
  virtual void progress(const std::string& what, std::int64_t done, std::int64_t total,
                        const std::string& detail) = 0;
  /// The number of the signal that asks to stop; 0: go on. Safe from any thread.
  [[nodiscard]] virtual int stop_signal() const = 0;
};

/// Throws Stopped where the listener asks to stop.
inline void throw_if_stopped(const Listener& listener) {
  if (const int signal = listener.stop_signal(); signal != 0) throw Stopped{signal};
}

/// A listener that ignores everything and never asks to stop.
inline Listener& silence() {
  class Silence : public Listener {
    void line(const std::string& /*text*/) override {}
    void failure(const std::string& /*text*/) override {}
    void progress(const std::string& /*what*/, std::int64_t /*done*/, std::int64_t /*total*/,
                  const std::string& /*detail*/) override {}
    [[nodiscard]] int stop_signal() const override { return 0; }
  };
  static Silence one;
  return one;
}

}  // namespace medurwkv
