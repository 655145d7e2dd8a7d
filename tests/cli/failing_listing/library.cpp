// Stands before the C library (LD_PRELOAD): the second entry of the folder that
// MEDURWKV_TEST_UNLISTED names cannot be read (EIO), as on a failing disk.
#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>

namespace {

/// Whether the listing is of that folder, however it was named.
bool is_the_folder(DIR* listing) {
  const char* named = std::getenv("MEDURWKV_TEST_UNLISTED");
  struct stat wanted {};
  struct stat seen {};
  return named != nullptr && ::stat(named, &wanted) == 0 && ::fstat(::dirfd(listing), &seen) == 0 &&
         wanted.st_dev == seen.st_dev && wanted.st_ino == seen.st_ino;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) dirent* readdir(DIR* listing) {
  using Function = dirent* (*)(DIR*);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "readdir"));
  static std::mutex mutex;
  static std::map<long, int> entries;  // by descriptor
  if (is_the_folder(listing)) {
    const std::lock_guard lock(mutex);
    int& seen = entries[::dirfd(listing)];
    if (++seen > 3) {  // ".", ".." and one file
      seen = 0;
      errno = EIO;
      return nullptr;
    }
  }
  return real(listing);
}
