// Folders of DICOM with what is no file in them, with many series, and files of which any byte is
// another.
#ifdef MEDURWKV_DICOM
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/text.h"
#include "data/layout/layout.h"
#include "data/volumes/dicom.h"
#include "data/volumes/series.h"
#include "data/volumes/volume.h"
#include "support/dicom_files.h"
#include "support/hostile.h"
#include "support/odd_dicom.h"
#include "support/paths.h"
#include "support/refusal.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using test::dicom_image;
using test::DicomBytes;
using test::good;
using test::pixels_tag;

class OddDicomFolders : public test::OddDicomFiles {};

TEST_F(OddDicomFolders, EntriesThatAreNoFiles) {
  const test::TemporaryFolder folder;
  const fs::path pipe = folder.path() / "pipe.dcm";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const fs::path socket = folder.path() / "socket.dcm";
  const int made = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  fs::create_directory(folder.path() / "folder.dcm");
  fs::create_symlink("circle.dcm", folder.path() / "circle.dcm");
  fs::create_symlink("nothing.dcm", folder.path() / "dangling.dcm");
  fs::create_directory_symlink(folder.path(), folder.path() / "loop");
  const std::vector<std::pair<std::string, std::string>> all{
      {"pipe.dcm", "regular file"},      {"socket.dcm", "regular file"},
      {"folder.dcm", "holds no series"}, {"circle.dcm", "symbolic links"},
      {"dangling.dcm", "No such file"},  {"absent.dcm", "No such file"},
      {"loop", "holds no series"},       {"series-1", ""}};
  for (const auto& [name, said] : all) {
    for (const bool as_image : {false, true}) {
      const test::HostileEnd end = test::end_of(folder.path() / name, 0, [&](const fs::path& file) {
        if (as_image) {
          read_image(file);
        } else {
          read_volume(file);
        }
      });
      ASSERT_TRUE(WIFEXITED(end.status)) << name;
      EXPECT_EQ(WEXITSTATUS(end.status), test::ended_refused) << name << end.message;
      EXPECT_NE(end.message.find(name), std::string::npos) << end.message;
      if (as_image) continue;
      EXPECT_NE(end.message.find(said), std::string::npos) << end.message;
    }
  }
  const test::HostileEnd listed = test::end_of(folder.path(), 0, [](const fs::path& path) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
    with_series(files);
    is_series(path);
    find_layout(path);
  });
  EXPECT_TRUE(WIFEXITED(listed.status)) << "a pipe is not waited for";
  ::close(made);
}

TEST_F(OddDicomFolders, ThreeHundredSeriesInAFolder) {
  const test::TemporaryFolder folder;
  std::vector<fs::path> files;
  for (int i = 0; i < 600; ++i) {
    DicomBytes one = dicom_image(2, 2, 16).numbers<std::uint16_t>(pixels_tag, "OW", {1, 2, 3, 4});
    test::placed(one, {.position = {0, 0, 1.0 * (i % 2)},
                       .instance = concat("1.2.3.", i),
                       .series = concat("1.2.4.", i / 2),
                       .number = std::to_string(1 + i / 2)});
    files.push_back(folder.path() / concat("image", 1000 + i, ".dcm"));
    test::write_quickly(files.back(), one.file());
  }
  const std::vector<fs::path> series = with_series(files);
  EXPECT_EQ(series.size(), 300U);
  EXPECT_EQ(read_volume(folder.path() / "series-300").slices, 2);
  const auto several = test::refusal_of([&] { return read_volume(folder.path()); });
  ASSERT_TRUE(several);
  EXPECT_TRUE(several->names("several series")) << several->message;
  EXPECT_LT(several->message.size(), 1000U) << "not all 300 are named";
}

/// Every byte before the pixels overwritten: read or refused, never else.
TEST_F(OddDicomFolders, NoByteOfAHeaderBreaksIt) {
  const test::TemporaryFolder folder;
  DicomBytes set = good();
  set.sequence(0x00081140U, {DicomBytes().text(0x00081155U, "UI", "1.2")});
  const std::size_t start = DicomBytes::start().size();
  std::size_t tried = 0;
  for (const bool implicit : {false, true}) {
    const std::string whole = set.file({.implicit = implicit});
    for (std::size_t i = start - 60; i < whole.size(); ++i) {
      for (const char byte : {'\0', '\xff', '9'}) {
        std::string bytes = whole;
        if (bytes[i] == byte) continue;
        bytes[i] = byte;
        const fs::path file = folder.path() / concat(tried++, ".dcm");
        test::write_quickly(file, bytes);
        const auto refusal = test::refusal_of([&] { return test::voxels_of(read_volume(file)); });
        EXPECT_TRUE(!refusal || refusal->kind != ErrorKind::internal) << refusal->message;
        fs::remove(file);
      }
    }
  }
  EXPECT_GT(tried, 1500U);
}

}  // namespace
}  // namespace medurwkv::data
#endif
