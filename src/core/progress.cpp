#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "core/terminal.h"
#include "core/text.h"

namespace medurwkv {
namespace {

/// Width of the terminal. A longer line would wrap, and the next one could not overwrite it.
std::size_t columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 80;
  return size.ws_col;
}

/// Cuts the line to at most `size` bytes, not within a character of UTF-8.
void cut(std::string& line, std::size_t size) {
  if (line.size() <= size) return;
  while (size > 0 && (static_cast<unsigned char>(line[size]) & 0xC0) == 0x80) --size;
  line.resize(size);
}

}  // namespace

Progress::Progress(std::string what, std::int64_t total, std::int64_t start)
    : what_(std::move(what)),
      total_(total),
      start_count_(start),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  interrupt();
}

void Progress::interrupt() {
  if (line_open_) std::cerr << '\n';
  line_open_ = false;
}

void Progress::update(std::int64_t done, const std::string& detail) {
  const auto now = Clock::now();
  const auto pause = std::chrono::milliseconds(terminal_ ? 100 : 3000);
  const bool last = total_ > 0 && done >= total_;
  if (!last && now - last_shown_ < pause) return;
  last_shown_ = now;
  show(done, detail);
}

void Progress::show(std::int64_t done, const std::string& detail) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_time_).count();
  constexpr double least = 0.5;  // seconds; a rate over less says nothing
  const double rate = elapsed >= least ? static_cast<double>(done - start_count_) / elapsed : 0;
  std::string line = concat(what_, " ");
  if (total_ > 0) {
    if (terminal_) {
      constexpr std::int64_t width = 24;
      const auto filled = static_cast<std::size_t>(std::min(width, width * done / total_));
      line += concat("[", std::string(filled, '#'),
                     std::string(static_cast<std::size_t>(width) - filled, '.'), "] ");
    }
    line += concat(done, "/", total_);
  } else {
    line += std::to_string(done);
  }
  if (rate > 0) line += concat("  ", fixed(rate, rate < 10 ? 2 : 0), "/s");
  if (total_ > done && rate > 0) {
    line += concat("  ", human_seconds(static_cast<double>(total_ - done) / rate), " left");
  }
  if (!detail.empty()) line += concat("  ", one_line(detail));
  if (terminal_) {
    cut(line, columns() - 1);
    clear_line(std::cerr);
    std::cerr << line << std::flush;
    line_open_ = true;
  } else {
    std::cerr << line << '\n';
  }
}

}  // namespace medurwkv
