// Bytes as a configuration in TOML: settings that write and read back, or an Error.
#include <unistd.h>

#include <sys/mman.h>

#include <filesystem>
#include <string>

#include "entry.h"
#include "train/run/config.h"

namespace {

/// A file in memory under a name that can be opened.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("fuzzed", 0)) {
    if (::write(descriptor_, bytes.data(), bytes.size()) != std::ssize(bytes)) {
      medurwkv::throw_internal("no file in memory");
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  MemoryFile(MemoryFile&&) = delete;
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile() { ::close(descriptor_); }
  [[nodiscard]] std::filesystem::path path() const {
    return "/proc/self/fd/" + std::to_string(descriptor_);
  }

 private:
  int descriptor_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, [](std::string_view bytes) {
    namespace train = medurwkv::train;
    const std::string written = train::to_toml(train::load_config(MemoryFile(bytes).path(), {}));
    if (train::to_toml(train::load_config(MemoryFile(written).path(), {})) != written) {
      medurwkv::throw_internal("a configuration does not read back");
    }
  });
}
