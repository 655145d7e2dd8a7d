// Runs the program under test as a user does: its own process, both outputs, exit code, signals.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/files.h"
#include "support/paths.h"

namespace medurwkv::test {

/// A command line.
using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

struct Outcome {
  int code = -1;   ///< exit code; -1 when a signal ended it
  int signal = 0;  ///< the signal that ended it, or 0
  std::string out, err;
  double seconds = 0;
  double processor_seconds = 0;  ///< what it computed, whatever else the machine did meanwhile
};

/// What differs from a plain start.
struct Start {
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::filesystem::path folder = {};  ///< to run in; empty: where the test runs
  /// Bytes a file may grow to (a stand-in for a full disk); 0: any.
  std::uint64_t largest_file = 0;
  /// Bytes of data (heap and private mappings) it may have; 0: any.
  std::uint64_t largest_data = 0;
  /// Root, too, is bound by the permissions of files and folders.
  bool obey_permissions = false;
  /// Standard descriptors to start without.
  std::vector<int> closed = {};
  /// A program and its arguments that start it, as `ip netns exec`.
  std::vector<std::string> within = {};
  /// Where the standard output goes instead of into Outcome::out.
  std::filesystem::path out = {};
};

/// A process that runs while the test goes on. Killed when the object goes.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const Start& start = {}) {
    const int out =
        start.out.empty() ? opened(output_.path() / "out") : ::open(start.out.c_str(), O_WRONLY);
    const int err = opened(output_.path() / "err");
    std::vector<std::string> words = start.within;
    words.push_back(program_file());
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    id_ = ::fork();
    if (id_ != 0) {
      ::close(out);
      ::close(err);
      // Never kept: kill() takes -1 for every process there is.
      if (id_ < 0) throw std::runtime_error("no process could be made");
      return;
    }
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    for (const auto& [name, value] : start.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    if (!start.folder.empty() && ::chdir(start.folder.c_str()) != 0) ::_exit(126);
    if (start.largest_file > 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{start.largest_file, start.largest_file};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (start.largest_data > 0) {
      const rlimit limit{start.largest_data, start.largest_data};
      ::setrlimit(RLIMIT_DATA, &limit);
    }
    if (start.obey_permissions) {
      // What is dropped here is not regained by the exec; without privileges nothing is to drop.
      for (const int capability : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) {
        ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
      }
    }
    for (const int descriptor : start.closed) ::close(descriptor);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process(Process&&) = delete;
  Process& operator=(Process&&) = delete;
  ~Process() {
    if (running_) {
      ::kill(id_, SIGKILL);
      wait();
    }
  }

  /// Does nothing when the process has ended.
  void send(int signal) {
    if (!ended()) ::kill(id_, signal);
  }

  [[nodiscard]] std::string err() const { return read_file(output_.path() / "err"); }

  /// Waits until `condition` holds; false when the process ended first or after `limit` seconds.
  bool until(const std::function<bool()>& condition, double limit = 120) {
    while (!condition()) {
      if (ended() || seconds() > limit) return condition();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }

  /// Waits for the end, killing after `limit` seconds.
  Outcome wait(double limit = 300) {
    while (!ended()) {
      if (seconds() > limit) ::kill(id_, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    Outcome outcome;
    if (WIFEXITED(status_)) outcome.code = WEXITSTATUS(status_);
    if (WIFSIGNALED(status_)) outcome.signal = WTERMSIG(status_);
    outcome.seconds = seconds_;
    for (const timeval& part : {usage_.ru_utime, usage_.ru_stime}) {
      outcome.processor_seconds +=
          static_cast<double>(part.tv_sec) + 1e-6 * static_cast<double>(part.tv_usec);
    }
    if (std::filesystem::exists(output_.path() / "out")) {
      outcome.out = read_file(output_.path() / "out");
    }
    outcome.err = read_file(output_.path() / "err");
    return outcome;
  }

 private:
  static int opened(const std::filesystem::path& file) {
    return ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

  bool ended() {
    if (!running_) return true;
    if (::wait4(id_, &status_, WNOHANG, &usage_) != id_) return false;
    seconds_ = seconds();
    running_ = false;
    return true;
  }

  TemporaryFolder output_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  pid_t id_ = -1;
  bool running_ = true;
  int status_ = 0;
  rusage usage_{};
  double seconds_ = 0;
};

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline Outcome run_program(const std::vector<std::string>& arguments, const Start& start = {}) {
  return Process(arguments, start).wait();
}

}  // namespace medurwkv::test
