// A file for readers that want one. Relies on core/output.h.
#pragma once

#include <filesystem>
#include <string_view>

#include <unistd.h>

#include "core/output.h"
#include "core/text.h"

namespace medurwkv::fuzz {

/// Bytes as a file, in memory where there is such a folder. Removed at the end.
class ScratchFile {
 public:
  ScratchFile(std::string_view suffix, std::string_view bytes)
      : path_((std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm")
                                                   : std::filesystem::temp_directory_path()) /
              concat("medurwkv-fuzzed-", ::getpid(), suffix)) {
    write_file(path_, bytes);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ScratchFile(ScratchFile&&) = delete;
  ScratchFile& operator=(ScratchFile&&) = delete;
  ~ScratchFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace medurwkv::fuzz
