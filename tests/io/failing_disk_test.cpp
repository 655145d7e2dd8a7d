// A disk that fails: every open, write, fsync, close, rename and making of a folder of a save is
// made to fail or to write less than asked. What was saved before can be read afterwards, whole.
// Also: a file system without locks.
//
// The linker hands this executable's calls to the functions below (--wrap, tests/CMakeLists.txt);
// they fail when a test says so and pass through otherwise.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/folder_lock.h"
#include "support/paths.h"
#include "weights/model_file.h"

namespace {

enum class Call { open, write, fsync, close, rename, make_folder, lock };

/// The call that fails: the `number`th of its kind from now on, from 1.
struct Fault {
  Call call = Call::write;
  int number = 0;
  int error = 0;  ///< errno; 0: writes half of the bytes
  bool reached = false;
};
std::optional<Fault> fault;

/// Whether this call is the one.
bool fails(Call call) {
  if (!fault || fault->call != call || fault->reached || --fault->number > 0) return false;
  fault->reached = true;
  errno = fault->error;
  return true;
}

}  // namespace

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the linker's names
extern "C" {
int __real_open(const char* path, int flags, ...);
ssize_t __real_write(int file, const void* bytes, size_t count);
int __real_fsync(int file);
int __real_close(int file);
int __real_openat(int folder, const char* path, int flags, ...);
int __real_renameat(int from_folder, const char* from, int to_folder, const char* to);
int __real_mkdirat(int folder, const char* path, mode_t mode);
int __real_flock(int file, int operation);

int __wrap_open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return fails(Call::open) ? -1 : __real_open(path, flags, mode);
}
ssize_t __wrap_write(int file, const void* bytes, size_t count) {
  if (!fails(Call::write)) return __real_write(file, bytes, count);
  return fault->error == 0 ? __real_write(file, bytes, (count + 1) / 2) : -1;
}
int __wrap_fsync(int file) {
  return fails(Call::fsync) ? -1 : __real_fsync(file);
}
int __wrap_close(int file) {
  // A failing close has closed all the same.
  const int result = __real_close(file);
  return fails(Call::close) ? -1 : result;
}
int __wrap_openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return fails(Call::open) ? -1 : __real_openat(folder, path, flags, mode);
}
int __wrap_renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return fails(Call::rename) ? -1 : __real_renameat(from_folder, from, to_folder, to);
}
int __wrap_mkdirat(int folder, const char* path, mode_t mode) {
  return fails(Call::make_folder) ? -1 : __real_mkdirat(folder, path, mode);
}
int __wrap_flock(int file, int operation) {
  return fails(Call::lock) ? -1 : __real_flock(file, operation);
}
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

/// A model file of `count` tensors that all hold `value`, as a checkpoint is written; in a folder
/// that is made where it is not there.
void save(const OutputPath& path, float value) {
  make_folder(path.folder());
  const std::vector<float> numbers(4096, value);
  std::vector<weights::TensorView> tensors;
  for (const char* name : {"a", "b", "c"}) {
    tensors.push_back(
        {.name = name, .shape = {4096}, .data = as_text(std::span<const float>(numbers))});
  }
  weights::write_model_file(path, tensors, {{"value", std::to_string(value)}});
}

/// The value that the whole file agrees on.
double saved_value(const fs::path& path) {
  const weights::TensorFile file = weights::read_checked(path);
  const double value = std::stod(file.metadata().at("value"));
  for (const weights::TensorInfo& tensor : file.tensors()) {
    for (const double one : file.values(tensor.name)) EXPECT_EQ(one, value);
  }
  return value;
}

struct Sweep {
  int calls = 0;    ///< of the kind within one save
  int refused = 0;  ///< saves that threw
};

/// Saves over a former file with the 1st, 2nd, ... call of a kind failing, until none is left.
Sweep sweep(const OutputPath& place, Call call, int error) {
  const fs::path path = place.path();
  Sweep out;
  while (true) {
    fault.reset();
    save(place, 1);
    fault = Fault{.call = call, .number = out.calls + 1, .error = error};
    bool threw = false;
    try {
      save(place, 2);
    } catch (const Error& refusal) {
      threw = true;
      const std::string message = refusal.what();
      EXPECT_NE(message.find(std::strerror(error)), std::string::npos) << message;
      EXPECT_NE(message.find(place.folder().named().string()), std::string::npos) << message;
    }
    const bool reached = fault->reached;
    fault.reset();
    if (!reached) {
      EXPECT_FALSE(threw);
      return out;
    }
    ++out.calls;
    out.refused += threw ? 1 : 0;
    const double value = saved_value(path);
    EXPECT_TRUE(value == 1 || value == 2) << value;
    if (!threw) {
      EXPECT_EQ(value, 2) << "a save that succeeds is the new one";
    }
    for (const auto& entry : fs::directory_iterator(path.parent_path())) {
      EXPECT_EQ(entry.path(), path) << "left behind";
    }
  }
}

TEST(FailingDisk, EveryWriteOfASave) {
  const test::TemporaryFolder folder;
  for (const int error : {ENOSPC, EIO, EDQUOT}) {
    const Sweep seen = sweep(folder.path() / "last.ckpt", Call::write, error);
    EXPECT_GE(seen.calls, 4) << "a header and three tensors";
    EXPECT_EQ(seen.refused, seen.calls);
  }
}

TEST(FailingDisk, ShortWritesAreWrittenOn) {
  const test::TemporaryFolder folder;
  const Sweep seen = sweep(folder.path() / "last.ckpt", Call::write, 0);
  EXPECT_GE(seen.calls, 4);
  EXPECT_EQ(seen.refused, 0);
}

TEST(FailingDisk, EverySyncCloseAndRenameOfASave) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "last.ckpt";
  for (const int error : {ENOSPC, EIO}) {
    const Sweep synced = sweep(path, Call::fsync, error);
    EXPECT_EQ(synced.calls, 2) << "the file and its folder";
    EXPECT_EQ(synced.refused, 2);
    EXPECT_GE(sweep(path, Call::close, error).refused, 1);
    const Sweep renamed = sweep(path, Call::rename, error);
    EXPECT_EQ(renamed.calls, 1);
    EXPECT_EQ(renamed.refused, 1);
    EXPECT_EQ(sweep(path, Call::open, error).refused, 3) << "the file, and its folder for both";
  }
}

// As a run of a series is saved: two folders below the one that the user named.
TEST(FailingDisk, EveryCallOfASaveBelow) {
  const test::TemporaryFolder folder;
  const OutputPath path = OutputPath(folder.path()) / "fold1/seed0/last.ckpt";
  for (const int error : {ENOSPC, EIO}) {
    EXPECT_EQ(sweep(path, Call::open, error).refused, 7) << "three folders, twice, and the file";
    EXPECT_EQ(sweep(path, Call::fsync, error).refused, 2);
    EXPECT_GE(sweep(path, Call::write, error).refused, 4);
    EXPECT_EQ(sweep(path, Call::rename, error).refused, 1);
    EXPECT_EQ(sweep(path, Call::make_folder, error).refused, 2);
  }
}

TEST(FailingDisk, AFileThatGrowsSaysWhatFailed) {
  const test::TemporaryFolder folder;
  const auto write = [&] {
    GrowingFile file(folder.path() / "events");
    file.append("one");
    file.append("two");
  };
  for (const Call call : {Call::open, Call::write}) {
    for (int number = 1; number <= 2; ++number) {
      fault = Fault{.call = call, .number = number, .error = ENOSPC};
      try {
        write();
        ADD_FAILURE() << number;
      } catch (const Error& refusal) {
        const std::string message = refusal.what();
        EXPECT_NE(message.find(std::strerror(ENOSPC)), std::string::npos) << message;
        EXPECT_NE(message.find(folder.path().string()), std::string::npos) << message;
      }
      fault.reset();
    }
  }
  write();
  EXPECT_EQ(read_file(folder.path() / "events"), "onetwo");
}

// A file system without locks must not be reported as another process at work.
TEST(FailingDisk, ALockThatCannotBeHadIsSaidAsThat) {
  const test::TemporaryFolder folder;
  for (const int error : {ENOLCK, EOPNOTSUPP}) {
    fault = Fault{.call = Call::lock, .number = 1, .error = error};
    try {
      const FolderLock lock(folder.path());
      ADD_FAILURE() << error;
    } catch (const Error& refusal) {
      const std::string message = refusal.what();
      for (const std::string& part :
           {(folder.path() / ".lock").string(), std::string(std::strerror(error)),
            std::string("does not support locks"), std::string("--out")}) {
        EXPECT_NE(message.find(part), std::string::npos) << message;
      }
      EXPECT_EQ(message.find("another run"), std::string::npos) << message;
    }
    fault.reset();
  }
  fault = Fault{.call = Call::lock, .number = 1, .error = EINTR};
  const FolderLock lock(folder.path());
  fault.reset();
}

}  // namespace
}  // namespace medurwkv
