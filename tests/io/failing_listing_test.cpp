// A folder that cannot be listed, from the start or not to its end: every reader of folders throws
// its name, and none takes a part for the whole.
//
// The linker hands this executable's calls to the functions below (--wrap, tests/CMakeLists.txt);
// they fail when a test says so and pass through otherwise.
#include <gtest/gtest.h>

#include <dirent.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "core/files.h"
#include "data/check/open.h"
#include "data/layout/dataset.h"
#include "data/layout/layout.h"
#include "support/images.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace {

/// What fails next: opening a folder, or reading behind its first `entries` entries.
struct Fault {
  bool open = false;
  int entries = 0;
  int error = 0;
};
std::optional<Fault> fault;

}  // namespace

// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier): the linker's names
extern "C" {
DIR* __real_opendir(const char* path);
dirent* __real_readdir(DIR* listing);

DIR* __wrap_opendir(const char* path) {
  if (!fault || !fault->open) return __real_opendir(path);
  errno = fault->error;
  return nullptr;
}
dirent* __wrap_readdir(DIR* listing) {
  if (!fault || fault->open || fault->entries-- > 0) return __real_readdir(listing);
  errno = fault->error;
  return nullptr;
}
}
// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

class FailingListing : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"images/a.png", "images/b.png", "masks/a.png", "masks/b.png"}) {
      test::write_gray(root() / name, 8, 8, [](auto x, auto) { return x < 4 ? 0 : 255; });
    }
  }
  void TearDown() override { fault.reset(); }
  [[nodiscard]] const fs::path& root() const { return folder_.path(); }

  /// `read` under the fault is refused with the folder's name and what errno says.
  template <class Read>
  void expect_refused(const Fault& next, const Read& read) const {
    fault = next;
    const auto refused = test::refusal_of(read);
    fault.reset();
    ASSERT_TRUE(refused) << "errno " << next.error << " after " << next.entries << " entries";
    EXPECT_EQ(refused->kind, ErrorKind::failure);
    EXPECT_TRUE(refused->names(root().string()) && refused->names("cannot be listed") &&
                refused->names(std::strerror(next.error)))
        << refused->message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(FailingListing, EveryReaderOfFoldersSaysSo) {
  for (const int error : {EACCES, EIO, ENOMEM}) {
    // ".", "..", "images", "masks", then those of the folders.
    for (const int entries : {-1, 0, 1, 2, 3, 4, 6, 8, 11}) {
      const Fault next{.open = entries < 0, .entries = entries, .error = error};
      expect_refused(next, [&] { return data::list_files(root()); });
      expect_refused(next, [&] { return data::list_images(root()); });
      expect_refused(next, [&] { return data::find_layout(root()).cases; });
      expect_refused(next, [&] { return data::open_dataset(root(), {}).cases; });
      if (entries > 3) continue;
      expect_refused(next, [&] { return list_folder(root()); });
    }
  }
}

TEST_F(FailingListing, WholeOnesComeByName) {
  EXPECT_EQ(list_folder(root()), (std::vector<fs::path>{root() / "images", root() / "masks"}));
  EXPECT_EQ(data::open_dataset(root(), {}).cases.size(), 2U);
  EXPECT_TRUE(test::refusal_of([&] { return list_folder(root() / "nowhere"); }));
  EXPECT_TRUE(test::refusal_of([&] { return list_folder(root() / "images/a.png"); }));
}

}  // namespace
}  // namespace medurwkv
