// Bytes as a pack, whose index gets the checksum that belongs to it, so that what lies behind is
// reached: opened and read whole, or refused with an Error.
#include <filesystem>
#include <string>

#include "core/file_name.h"
#include "core/files.h"
#include "core/little_endian.h"
#include "core/text.h"
#include "data/check/open.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "entry.h"
#include "scratch.h"

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

/// Outputs are named by ids: each makes a path that stays below a folder, in names that fit.
void check_path(const std::string& id) {
  for (const char* suffix : {".png", "_probabilities_lesion.png"}) {
    const fs::path path = medurwkv::file_path(id, suffix);
    bool good = path.is_relative() && !path.empty();
    for (const fs::path& part : path) {
      good = good && part != ".." && part.native().size() <= medurwkv::longest_name;
    }
    if (!good) medurwkv::throw_internal("an id of a pack leads out of the folder of outputs");
  }
}

void read_pack(std::string_view bytes) {
  const medurwkv::fuzz::ScratchFile file(".pack", with_checksum(std::string(bytes)));
  const medurwkv::data::Dataset dataset = medurwkv::data::open_dataset(file.path());
  for (const auto& item : dataset.cases) {
    check_path(item.id);
    static_cast<void>(read_image(item));
    static_cast<void>(read_labels(dataset, item));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, read_pack);
}
