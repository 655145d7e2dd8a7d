// Progress of long work: a bar on a terminal, a plain line every few seconds elsewhere. Everything
// goes to stderr. Relies on core/terminal.h, core/text.h and POSIX.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace medurwkv {

class Progress {
 public:
  /// `what` names the work ("scoring"), `total` counts its steps (0 = unknown), `start` how many
  /// were done before (a resumed run).
  Progress(std::string what, std::int64_t total, std::int64_t start = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  ~Progress();

  /// `done` steps are finished; `detail` is shown beside the rate and the time left.
  void update(std::int64_t done, const std::string& detail = "");

  /// Ends the bar's line so that something else can be printed; the bar goes on below.
  void interrupt();

 private:
  using Clock = std::chrono::steady_clock;
  void show(std::int64_t done, const std::string& detail);

  std::string what_;
  std::int64_t total_;
  std::int64_t start_count_;
  bool terminal_;
  bool line_open_ = false;
  Clock::time_point start_time_ = Clock::now();
  Clock::time_point last_shown_{};
};

}  // namespace medurwkv
