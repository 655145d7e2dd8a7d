#include "core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file_name.h"
#include "core/text.h"

namespace medurwkv {
namespace {

/// Whether the folder's file of this name is still the one that is open.
bool is_still_there(const Descriptor& folder, const std::string& name, const Descriptor& file) {
  struct stat there {};
  struct stat open {};
  return ::fstatat(folder.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstat(file.get(), &open) == 0 && there.st_dev == open.st_dev &&
         there.st_ino == open.st_ino;
}

/// The folder's file of this name, locked by `operation` (LOCK_EX or LOCK_SH).
Descriptor locked(const OutputPath& folder, const Descriptor& opened, const std::string& name,
                  int operation) {
  const std::string path = (folder / name).path().string();
  Descriptor file;
  // The former holder removes its file when it ends. Then try again, with a new file.
  while (!is_still_there(opened, name, file)) {
    file = Descriptor(::openat(opened.get(), name.c_str(),
                               O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644));
    if (file.get() < 0) {
      if (errno == ELOOP) throw_link(path, folder);
      throw_failure(concat(path, ": cannot write here: ", std::strerror(errno)));
    }
    while (::flock(file.get(), operation | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) {
        throw_failure(concat(
            folder.path().string(),
            ": another run is writing to this folder; wait for it to end or choose another --out"));
      }
      throw_failure(concat(path, ": the file system of this folder does not support locks (",
                           std::strerror(errno),
                           "), so two runs could mix their files; choose an --out on another file "
                           "system, such as a local disk"));
    }
  }
  return file;
}

}  // namespace

FolderLock::FolderLock(const OutputPath& folder)
    : folder_(open_folder(folder)), file_(locked(folder, folder_, own_, LOCK_EX)) {}

FolderLock::FolderLock(const OutputPath& folder, const Part& part)
    : own_(concat(name, "-", file_name(part.name, ""))),
      folder_(open_folder(folder)),
      shared_(locked(folder, folder_, name, LOCK_SH)),
      file_(locked(folder, folder_, own_, LOCK_EX)) {}

FolderLock::~FolderLock() {
  if (is_still_there(folder_, own_, file_)) ::unlinkat(folder_.get(), own_.c_str(), 0);
}

}  // namespace medurwkv
