#include "core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv {
namespace {

/// Whether the folder's file of this name is still the one that is open.
bool is_still_there(const Descriptor& folder, const Descriptor& file) {
  struct stat there {};
  struct stat open {};
  return ::fstatat(folder.get(), FolderLock::name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(file.get(), &open) == 0 && there.st_dev == open.st_dev &&
         there.st_ino == open.st_ino;
}

}  // namespace

FolderLock::FolderLock(const OutputPath& folder) : folder_(open_folder(folder)) {
  const std::string file = (folder / name).path().string();
  // The former holder removes its file when it ends. Then try again, with a new file.
  while (!is_still_there(folder_, file_)) {
    file_ = Descriptor(::openat(folder_.get(), name,
                                O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    if (file_.get() < 0) {
      if (errno == ELOOP) throw_link(file, folder);
      throw_failure(concat(file, ": cannot write here: ", std::strerror(errno)));
    }
    while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) {
        throw_failure(concat(
            folder.path().string(),
            ": another run is writing to this folder; wait for it to end or choose another --out"));
      }
      throw_failure(concat(file, ": the file system of this folder does not support locks (",
                           std::strerror(errno),
                           "), so two runs could mix their files; choose an --out on another file "
                           "system, such as a local disk"));
    }
  }
}

FolderLock::~FolderLock() {
  if (is_still_there(folder_, file_)) ::unlinkat(folder_.get(), name, 0);
}

}  // namespace medurwkv
