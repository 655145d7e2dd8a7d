#include "cli/ranks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "cli/command.h"
#include "core/error.h"
#include "core/text.h"

namespace medurwkv::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// A port of the loopback interface that nobody listens on now.
int free_port() {
  const int handle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(handle, any, size) == 0 && ::getsockname(handle, any, &size) == 0;
  ::close(handle);
  if (!bound) throw_failure("--nproc: this machine has no free port on 127.0.0.1");
  return ntohs(address.sin_port);
}

pid_t start(std::vector<std::string> words, bool silent) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw_failure("--nproc: no process could be made");
  if (child > 0) return child;
  // A group of its own: Ctrl-C reaches it through the parent alone, once.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(exit_failed);
  if (silent) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nowhere, STDOUT_FILENO);
  }
  ::execv("/proc/self/exe", pointers.data());
  ::_exit(exit_failed);
}

/// The processes, by rank; 0 where one has ended.
class Ranks {
 public:
  explicit Ranks(std::vector<pid_t> processes) : processes_(std::move(processes)) {}

  int wait() {
    while (running() > 0) {
      collect();
      const int signal = stop_signal.load();
      if (signal != 0 && !told_) {
        send(signal);
        told_ = true;
      }
      if (code_ != 0 && Clock::now() > give_up_) send(SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return code_;
  }

 private:
  [[nodiscard]] int running() const {
    int out = 0;
    for (const pid_t process : processes_) out += process != 0 ? 1 : 0;
    return out;
  }

  void send(int signal) const {
    for (const pid_t process : processes_) {
      if (process != 0) ::kill(process, signal);
    }
  }

  void collect() {
    for (std::size_t rank = 0; rank < processes_.size(); ++rank) {
      int status = 0;
      if (processes_[rank] == 0 || ::waitpid(processes_[rank], &status, WNOHANG) == 0) continue;
      processes_[rank] = 0;
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : exit_failed;
      if (WIFSIGNALED(status)) {
        tell(concat("medurwkv: rank ", rank, " of ", processes_.size(), " was ended by signal ",
                    WTERMSIG(status)));
      }
      if (code == 0 || code_ != 0) continue;
      code_ = code;
      // Wrong usage is seen before anything is worth saving; the others may still wait for it.
      give_up_ = Clock::now() + std::chrono::seconds(code == exit_usage ? 0 : 30);
    }
  }

  std::vector<pid_t> processes_;
  int code_ = 0;
  bool told_ = false;
  Clock::time_point give_up_;
};

}  // namespace

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> out;
  std::size_t begin = text.find('\0') + 1;
  while (begin != 0 && begin < text.size()) {
    const std::size_t end = text.find('\0', begin);
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::vector<std::string> arguments_without(const std::vector<std::string>& words,
                                           const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      out.push_back(words[i]);
    } else if (name == words[i]) {
      ++i;  // its value
    }
  }
  return out;
}

int run_ranks(int count, const std::vector<std::string>& arguments) {
  const std::string address = concat("127.0.0.1:", free_port());
  std::vector<pid_t> processes;
  for (int rank = 0; rank < count; ++rank) {
    std::vector<std::string> words{"medurwkv"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    for (const std::string& word : {std::string("--rendezvous"), address, concat("--rank=", rank),
                                    concat("--world=", count)}) {
      words.push_back(word);
    }
    if (rank > 0) words.emplace_back("--quiet");
    processes.push_back(start(std::move(words), rank > 0));
  }
  return Ranks(std::move(processes)).wait();
}

}  // namespace medurwkv::cli
