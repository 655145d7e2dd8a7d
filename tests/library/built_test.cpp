// What is built holds neither the folder of its sources nor the day: else two builds could not give
// the same bytes (docs/packages.md), and packages would tell where they were made.
#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <string>

#include <sys/stat.h>

#include "core/files.h"
#include "core/text.h"
#include "support/paths.h"

namespace medurwkv {
namespace {

namespace fs = std::filesystem;

/// The day on which a file was written, as __DATE__ writes it.
std::string day_of(const fs::path& file) {
  struct stat about {};
  EXPECT_EQ(::stat(file.c_str(), &about), 0) << file;
  std::tm day{};
  ::localtime_r(&about.st_mtime, &day);
  std::array<char, 32> out{};
  EXPECT_GT(std::strftime(out.data(), out.size(), "%b %e %Y", &day), 0U);
  return out.data();
}

class Built : public ::testing::TestWithParam<std::string> {};

TEST_P(Built, HoldsNoFolderAndNoDay) {
  const fs::path file = test::program_file().parent_path() / GetParam();
  if (!fs::exists(file)) GTEST_SKIP() << GetParam() << " is not built";
  const std::string bytes = read_file(file);
  if (bytes.find(".debug_info") != std::string::npos) {
    GTEST_SKIP() << "built with debugging information, which names folders";
  }
  ASSERT_NE(bytes.find("medurwkv"), std::string::npos);  // one can look into it
  // A folder alone, such as /src, may stand in a text that has nothing to do with it.
  for (const char* const below : {"src/", "build/"}) {
    const std::string folder = (test::source_folder() / below).string();
    EXPECT_EQ(bytes.find(folder), std::string::npos) << GetParam() << " names " << folder;
  }
  EXPECT_EQ(bytes.find(day_of(file)), std::string::npos) << GetParam() << " names its day";
}

INSTANTIATE_TEST_SUITE_P(Files, Built,
                         ::testing::Values("medurwkv", "libmedurwkv.so", "libmedurwkv_h5.so",
                                           "libmedurwkv_training.so"),
                         [](const auto& with) {
                           std::string name = with.param;
                           for (char& c : name) {
                             if (c == '.') c = '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace medurwkv
