// One writer in one folder. Relies on core/output.h and POSIX.
#pragma once

#include "core/descriptor.h"
#include "core/output.h"

namespace medurwkv {

/// Keeps a second writer out of a folder while it lives: it holds flock on the folder's file
/// `.lock` and removes the file at the end. A killed run leaves the file behind, which blocks
/// nobody.
class FolderLock {
 public:
  /// Throws Error naming the folder when another process has it, and when its file system gives no
  /// lock.
  explicit FolderLock(const OutputPath& folder);
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  FolderLock(FolderLock&&) = delete;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

  static constexpr char name[] = ".lock";

 private:
  Descriptor folder_, file_;
};

}  // namespace medurwkv
