// Where tests find the sources, the shared data and room for files of their own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <unistd.h>

namespace medurwkv::test {

std::filesystem::path source_folder();

/// The program that was built beside the tests.
std::filesystem::path program_file();
/// Whether what is tested runs under a sanitizer; the tests themselves may be compiled without.
bool is_sanitized();

/// $MEDURWKV_SHARED, or `shared` beside the project.
inline std::filesystem::path shared_folder() {
  const char* chosen = std::getenv("MEDURWKV_SHARED");
  return chosen != nullptr ? std::filesystem::path(chosen) : source_folder() / "../shared";
}

/// A new folder, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "medurwkv-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace medurwkv::test
