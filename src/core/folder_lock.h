// One writer in one folder. Relies on core/output.h and POSIX.
#pragma once

#include <string>

#include "core/descriptor.h"
#include "core/output.h"

namespace medurwkv {

/// Keeps a second writer out of a folder while it lives: it holds flock on the folder's file
/// `.lock` and removes the file at the end. A killed run leaves the file behind, which blocks
/// nobody. Writers of disjoint parts of the files may work side by side; each keeps out a second
/// writer of its own part, and all of them one of the whole folder.
class FolderLock {
 public:
  /// Throws Error naming the folder when another process has it, and when its file system gives no
  /// lock.
  explicit FolderLock(const OutputPath& folder);

  struct Part {
    std::string name;  ///< any text; it becomes a part of a file's name
  };
  /// As above, of a part. `.lock` stays in the folder: none of the parts can tell whether it is the
  /// last one. The next lock of the whole folder removes it.
  FolderLock(const OutputPath& folder, const Part& part);

  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  FolderLock(FolderLock&&) = delete;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

  static constexpr char name[] = ".lock";

 private:
  std::string own_ = name;  ///< the file that is removed at the end
  Descriptor folder_, shared_, file_;
};

}  // namespace medurwkv
