#include "core/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/descriptor.h"
#include "core/error.h"
#include "core/text.h"

namespace medurwkv {
namespace {

[[noreturn]] void throw_errno(std::string_view what, const std::filesystem::path& path) {
  throw_failure(concat(path.string(), ": cannot ", what, ": ", std::strerror(errno)));
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) throw_errno("open", path_);
  if (::fstat(file.get(), &facts_) != 0) throw_errno("examine", path_);
  if (!S_ISREG(facts_.st_mode)) {
    throw_failure(concat(path_.string(), ": is not a regular file"));
  }
  size_ = static_cast<std::size_t>(facts_.st_size);
  if (size_ == 0) return;
  void* start = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (start == MAP_FAILED) throw_errno("map", path_);
  start_ = start;
}

MappedFile::~MappedFile() {
  if (start_ != nullptr) ::munmap(start_, size_);
}

void MappedFile::let_go(std::string_view part) const {
  if (part.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - bytes().data()) / page * page;
  const auto end = static_cast<std::size_t>(part.data() - bytes().data()) + part.size();
  // Nothing is lost where it fails.
  static_cast<void>(::madvise(static_cast<char*>(start_) + begin, end - begin, MADV_DONTNEED));
}

void MappedFile::check_same() const {
  struct stat now {};
  if (::stat(path_.c_str(), &now) != 0) throw_errno("examine", path_);
  if (now.st_dev == facts_.st_dev && now.st_ino == facts_.st_ino && now.st_size == facts_.st_size &&
      now.st_mtim.tv_sec == facts_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == facts_.st_mtim.tv_nsec) {
    return;
  }
  throw_failure(
      concat(path_.string(), ": has changed since it was opened; a run learns from one set"));
}

}  // namespace medurwkv
