// Hostile files: each must be refused with an Error that names it, within 2 seconds and, beside
// what the process has anyway, twice the file's size and 64 MB; never by a signal. Each is read in
// a process of its own that may not have more memory (RLIMIT_DATA).
#pragma once

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <malloc.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "support/paths.h"

namespace medurwkv::test {

struct HostileFile {
  std::string what;
  std::string bytes;
  std::string named = {};  ///< what the message must hold beside the file's name
};

using ReadFile = std::function<void(const std::filesystem::path&)>;

/// Sanitizers need memory of their own; there the limit is left out.
inline bool limits_memory() {
  return !is_sanitized();
}

/// How reading one file ended.
struct HostileEnd {
  int status = 0;       ///< as waitpid gives it; the exit code is one of those below
  double seconds = 0;   ///< of processor time
  std::string message;  ///< the Error's, or of what else was thrown
};
inline constexpr int ended_refused = 10;
inline constexpr int ended_accepted = 11;
inline constexpr int ended_otherwise = 12;

/// Bytes of private writable memory of this process, which RLIMIT_DATA counts.
inline std::uint64_t data_bytes() {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    std::uint64_t kilobytes = 0;
    if (word == "VmData:" && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

/// Only in a child.
[[noreturn]] inline void read_limited(const std::filesystem::path& path, std::uint64_t file_bytes,
                                      const ReadFile& read, int message_to) {
  int code = ended_accepted;
  std::string message;
  try {
    // What waits, as for a writer into a pipe, is ended by a signal.
    constexpr unsigned most_seconds = 60;
    ::alarm(most_seconds);
    ::malloc_trim(0);
    if (limits_memory()) {
      const rlim_t most = data_bytes() + 2 * file_bytes + 64'000'000;
      const rlimit limit{most, most};
      ::setrlimit(RLIMIT_DATA, &limit);
    }
    read(path);
  } catch (const Error& error) {
    code = error.kind() == ErrorKind::internal ? ended_otherwise : ended_refused;
    message = error.what();
  } catch (const std::exception& error) {
    code = ended_otherwise;
    message = error.what();
  }
  message.resize(std::min<std::size_t>(message.size(), 4000));
  static_cast<void>(::write(message_to, message.data(), message.size()) < 0);
  ::_exit(code);
}

inline HostileEnd end_of(const std::filesystem::path& path, std::uint64_t file_bytes,
                         const ReadFile& read) {
  HostileEnd out;
  int pipe[2];
  if (::pipe(pipe) != 0) ADD_FAILURE() << "no pipe";
  const pid_t child = ::fork();
  if (child == 0) read_limited(path, file_bytes, read, pipe[1]);
  ::close(pipe[1]);
  rusage used{};
  ::wait4(child, &out.status, 0, &used);
  char buffer[4096];
  const ssize_t got = ::read(pipe[0], buffer, sizeof(buffer));
  if (got > 0) out.message.assign(buffer, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  out.seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return out;
}

/// Expects all of that of every file, and at least 60 different ones.
inline void expect_refused(const std::string& name, const std::vector<HostileFile>& files,
                           const ReadFile& read) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / name;
  std::set<std::string> different;
  for (const HostileFile& file : files) {
    different.insert(file.bytes);
    std::ofstream(path, std::ios::binary).write(file.bytes.data(), std::ssize(file.bytes));
    const HostileEnd end = end_of(path, file.bytes.size(), read);
    const std::string about = file.what + " (" + std::to_string(file.bytes.size()) + " bytes): ";
    if (WIFSIGNALED(end.status)) {
      ADD_FAILURE() << about << "signal " << WTERMSIG(end.status);
      continue;
    }
    EXPECT_EQ(WEXITSTATUS(end.status), ended_refused) << about << end.message;
    EXPECT_NE(end.message.find(name), std::string::npos) << about << end.message;
    EXPECT_NE(end.message.find(file.named), std::string::npos)
        << about << end.message << "\nexpected: " << file.named;
    EXPECT_EQ(end.message.find('\n'), std::string::npos) << about << end.message;
    EXPECT_LT(end.seconds, limits_memory() ? 2 : 60) << about;
  }
  EXPECT_GE(different.size(), 60U);
  ::testing::Test::RecordProperty("different_files", static_cast<int>(different.size()));
}

/// Cut off after every sixteenth, and with something behind it.
inline std::vector<HostileFile> cut_and_extended(const std::string& whole) {
  std::vector<HostileFile> out;
  for (std::size_t sixteenth = 0; sixteenth < 16; ++sixteenth) {
    out.push_back({.what = "cut after " + std::to_string(sixteenth) + "/16",
                   .bytes = whole.substr(0, whole.size() * sixteenth / 16)});
  }
  out.push_back({.what = "cut before its last byte", .bytes = whole.substr(0, whole.size() - 1)});
  out.push_back({.what = "a byte behind it", .bytes = whole + "x"});
  out.push_back({.what = "itself behind it", .bytes = whole + whole});
  return out;
}

}  // namespace medurwkv::test
