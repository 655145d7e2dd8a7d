// A file's bytes where the kernel keeps them: for archives too large to read whole. Relies on
// core/descriptor.h and POSIX.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace medurwkv {

/// A file mapped for reading; pages are read when they are looked at, and the file descriptor is
/// closed at once. A look at bytes that the file has lost since then ends the process (SIGBUS):
/// call check_same() before reading, which leaves only a file that is cut at that very moment.
class MappedFile {
 public:
  /// Throws Error naming the file when it cannot be opened, is not a regular file or cannot be
  /// mapped.
  explicit MappedFile(std::filesystem::path path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&&) = delete;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(start_), size_}; }
  /// Gives the memory of a part of bytes() back; they are read anew when they are looked at. Pages
  /// that were looked at count as the process's (resident_memory()) until then. Safe from any
  /// thread.
  void let_go(std::string_view part) const;

  /// Throws Error naming the file when it is not the one that was mapped: another file, size or
  /// time of change. Safe from any thread.
  void check_same() const;

 private:
  std::filesystem::path path_;
  struct stat facts_ {};
  void* start_ = nullptr;  ///< null for an empty file
  std::size_t size_ = 0;
};

}  // namespace medurwkv
