// Bytes as a pack, whose index gets the checksum that belongs to it, so that what lies behind is
// reached: opened and read whole, or refused with an Error.
#include <filesystem>
#include <string>

#include <unistd.h>

#include "core/files.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/dataset.h"
#include "entry.h"

namespace {

namespace fs = std::filesystem;

std::string with_checksum(std::string bytes) {
  constexpr std::size_t trailer = 80;
  if (bytes.size() < trailer) return bytes;
  const std::uint64_t end = bytes.size() - trailer;
  const auto start = medurwkv::number_at<std::uint64_t>(bytes, end);
  const auto size = medurwkv::number_at<std::uint64_t>(bytes, end + 8);
  if (!medurwkv::lies_within(start, size, end)) return bytes;
  return bytes.replace(end + 16, 64, medurwkv::sha256(bytes.substr(start, size)));
}

/// A file in memory where there is such a folder.
fs::path scratch() {
  const fs::path folder = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  return folder / medurwkv::concat("medurwkv-fuzzed-", ::getpid(), ".pack");
}

void read_pack(std::string_view bytes) {
  struct Scratch {
    fs::path file = scratch();
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    Scratch(Scratch&&) = delete;
    Scratch& operator=(Scratch&&) = delete;
    ~Scratch() { ::unlink(file.c_str()); }
  };
  const Scratch made;
  medurwkv::write_file(made.file, with_checksum(std::string(bytes)));
  const medurwkv::data::Dataset dataset = medurwkv::data::open_dataset(made.file);
  for (const auto& item : dataset.cases) {
    static_cast<void>(read_image(item));
    static_cast<void>(read_labels(dataset, item));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, read_pack);
}
