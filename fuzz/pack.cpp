// Bytes as a pack, with an index whose checksum is made right so that what is behind it is reached:
// opened and read whole, or refused with an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <unistd.h>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset.h"

namespace {

namespace fs = std::filesystem;

std::string eight_bytes(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

/// A file in memory where there is such a folder.
fs::path scratch() {
  const fs::path folder = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  return folder / ("medurwkv-fuzz-" + std::to_string(::getpid()) + ".pack");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fs::path file = scratch();
  // The first byte says where pieces end and the index begins.
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = bytes.size() * data[0] / 255;
  std::string pack = "medurwkv-pack 1\n";
  pack += bytes.substr(0, cut);
  const std::uint64_t start = pack.size();
  const std::string index(bytes.substr(cut));
  pack += index + eight_bytes(start) + eight_bytes(index.size()) + medurwkv::sha256(index);
  try {
    medurwkv::write_file(file, pack);
    const medurwkv::data::Dataset dataset = medurwkv::data::open_dataset(file);
    for (const auto& item : dataset.cases) {
      static_cast<void>(read_image(item));
      static_cast<void>(read_labels(dataset, item));
    }
  } catch (const medurwkv::Error& error) {
    if (error.kind() == medurwkv::ErrorKind::internal) throw;
  }
  return 0;
}
