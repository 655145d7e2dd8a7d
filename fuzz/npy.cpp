// Bytes as a NumPy array, and as an archive of them: the elements, or an Error.
#include <string>

#include "core/npy.h"
#include "core/zip.h"
#include "entry.h"

namespace {

void read_array(std::string_view bytes) {
  const auto array = medurwkv::NpyArray::parse("fuzzed", std::string(bytes));
  if (array.doubles().size() != array.floats().size())
    medurwkv::throw_internal("elements got lost");
}

void read_archive(std::string_view bytes) {
  const medurwkv::ZipArchive archive("fuzzed", bytes);
  for (const medurwkv::ZipMember& member : archive.members())
    read_array(archive.read(member, 1 << 20));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  medurwkv::fuzz::run(data, size, read_array);
  return medurwkv::fuzz::run(data, size, read_archive);
}
