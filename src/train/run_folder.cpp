#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace medurwkv::train {

RunLock::RunLock(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / ".lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    throw_failure(concat(file.string(), ": cannot write here: ", std::strerror(errno)));
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor_);
    throw_failure(concat(folder.string(),
                         ": another run writes here; wait for it or choose "
                         "another --out"));
  }
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

RunFolder::RunFolder(std::filesystem::path folder, bool resume)
    : folder_(std::move(folder)), lock_(prepared(folder_, resume)) {
  // The lock is held: what lies there half written is of a run that was killed.
  for (const char* file : {"split.json", "config.toml", "last.ckpt", "best.model", "run.json",
                           "log.csv", "curves.svg", "validation.png", "best.png"}) {
    remove_leftovers(folder_ / file);
  }
}

const std::filesystem::path& RunFolder::prepared(const std::filesystem::path& folder, bool resume) {
  const bool has_run = std::filesystem::exists(folder / "last.ckpt") ||
                       std::filesystem::exists(folder / "config.toml");
  if (resume && !has_run) {
    throw_failure(concat(folder.string(), ": nothing to resume (no training run in it)"));
  }
  if (!resume && has_run) {
    throw_usage(concat(folder.string(),
                       ": holds a training run already; go on with --resume or "
                       "choose another --out"));
  }
  make_folder(folder);
  return folder;
}

nlohmann::json RunFolder::record() const {
  const std::filesystem::path file = folder_ / "run.json";
  if (!std::filesystem::exists(file)) return nlohmann::json::object();
  return nlohmann::json::parse(read_file(file));
}

}  // namespace medurwkv::train
