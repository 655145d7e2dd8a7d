// A disk that fails: every open, write, fsync, close and rename of a save is made to fail or to
// write less than asked. What was saved before can be read afterwards, whole.
//
// The linker hands this executable's calls to the functions below (--wrap, tests/CMakeLists.txt);
// they fail when a test says so and pass through otherwise.
#include <gtest/gtest.h>

#include <fcntl.h>
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
#include "support/paths.h"
#include "weights/model_file.h"

namespace {

enum class Call { open, write, fsync, close, rename };

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
int __real_rename(const char* from, const char* to);

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
int __wrap_rename(const char* from, const char* to) {
  return fails(Call::rename) ? -1 : __real_rename(from, to);
}
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

/// A model file of `count` tensors that all hold `value`, as a checkpoint is written.
void save(const fs::path& path, float value) {
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
Sweep sweep(const fs::path& path, Call call, int error) {
  Sweep out;
  while (true) {
    fault.reset();
    save(path, 1);
    fault = Fault{.call = call, .number = out.calls + 1, .error = error};
    bool threw = false;
    try {
      save(path, 2);
    } catch (const Error& refusal) {
      threw = true;
      const std::string message = refusal.what();
      EXPECT_NE(message.find(std::strerror(error)), std::string::npos) << message;
      EXPECT_NE(message.find(path.parent_path().string()), std::string::npos) << message;
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
    EXPECT_EQ(sweep(path, Call::open, error).refused, 2) << "the file and its folder";
  }
}

}  // namespace
}  // namespace medurwkv
