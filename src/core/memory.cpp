#include "core/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/text.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max();

/// The number behind `key` on a line of its own; in bytes where the line says kB.
std::optional<std::int64_t> number_in(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key)) continue;
    const std::int64_t number = std::strtoll(line.c_str() + key.size(), nullptr, 10);
    return line.ends_with("kB") ? 1024 * number : number;
  }
  return std::nullopt;
}

/// A file that holds one number; none for "max" and where there is no such file.
std::optional<std::int64_t> number_of(const fs::path& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  if (!(in >> number)) return std::nullopt;
  return number;
}

/// What one control group leaves.
std::int64_t left_by_group(const fs::path& group, const char* limit, const char* used) {
  const auto most = number_of(group / limit);
  const auto now = number_of(group / used);
  if (!most || !now) return unbounded;
  return *most - *now + number_in(group / "memory.stat", "inactive_file ").value_or(0);
}

/// The least that any control group of this process, or one above it, leaves.
std::int64_t left_by_groups() {
  std::int64_t left = unbounded;
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    const std::vector<std::string> parts = split(line, ':');
    if (parts.size() < 3) continue;
    const bool second = parts[0] == "0" && parts[1].empty();
    if (!second && parts[1] != "memory") continue;
    const fs::path root = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (fs::path group = root / fs::path(parts[2]).relative_path();; group = group.parent_path()) {
      left = std::min(
          left, second ? left_by_group(group, "memory.max", "memory.current")
                       : left_by_group(group, "memory.limit_in_bytes", "memory.usage_in_bytes"));
      if (group == root || group == group.parent_path()) break;
    }
  }
  return left;
}

std::int64_t left_by_limit(decltype(RLIMIT_AS) what, std::string_view used) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return unbounded;
  return static_cast<std::int64_t>(limit.rlim_cur) -
         number_in("/proc/self/status", used).value_or(0);
}

/// Looking up what is left takes 0.1 ms; smaller claims are not worth that.
constexpr std::int64_t least_claim = 16'000'000;

std::atomic<std::int64_t> limit{0};

/// The claims of all threads.
struct Claims {
  std::mutex mutex;
  std::condition_variable ended;
  std::int64_t bytes = 0;
};
Claims& claims() {
  static Claims all;
  return all;
}
thread_local bool has_claim = false;

}  // namespace

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

std::int64_t available_memory() {
  const std::int64_t left =
      std::min({number_in("/proc/meminfo", "MemAvailable:").value_or(unbounded), left_by_groups(),
                left_by_limit(RLIMIT_AS, "VmSize:"), left_by_limit(RLIMIT_DATA, "VmData:")});
  return std::max<std::int64_t>(0, left);
}

std::int64_t resident_memory() {
  return number_in("/proc/self/status", "VmRSS:").value_or(0);
}

std::int64_t peak_memory() {
  // The kernel updates VmHWM later than VmRSS.
  return std::max(number_in("/proc/self/status", "VmHWM:").value_or(0), resident_memory());
}

void set_memory_limit(std::int64_t bytes) {
  limit = bytes;
}

std::int64_t memory_limit() {
  return limit;
}

std::int64_t memory_left() {
  const std::int64_t most = limit;
  const std::int64_t left = available_memory();
  return most > 0 ? std::clamp<std::int64_t>(most - resident_memory(), 0, left) : left;
}

std::string memory_left_text(std::int64_t left) {
  const std::int64_t most = limit;
  return concat(
      human_bytes(static_cast<double>(left)), " are left",
      most > 0 ? concat(" (--memory allows ", human_bytes(static_cast<double>(most)), " in all)")
               : "");
}

MemoryClaim::MemoryClaim(const std::string& what, std::int64_t bytes) {
  if (has_claim || bytes < least_claim) return;
  Claims& all = claims();
  std::unique_lock lock(all.mutex);
  std::int64_t left = memory_left();
  while (bytes > left - all.bytes && all.bytes > 0) {
    all.ended.wait(lock);
    left = memory_left();
  }
  if (bytes > left) {
    throw MemoryError(concat(what, ": takes about ", human_bytes(static_cast<double>(bytes)),
                             " of memory, ", memory_left_text(left),
                             "; make it smaller (cut a picture into tiles), or allow more memory"));
  }
  all.bytes += bytes;
  bytes_ = bytes;
  has_claim = true;
}

MemoryClaim::~MemoryClaim() {
  if (bytes_ == 0) return;
  has_claim = false;
  Claims& all = claims();
  {
    const std::lock_guard lock(all.mutex);
    all.bytes -= bytes_;
  }
  all.ended.notify_all();
}

}  // namespace medurwkv
