// Bytes as a zip archive: every member's content, or an Error.
#include <string>

#include "core/zip.h"
#include "entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return medurwkv::fuzz::run(data, size, [](std::string_view bytes) {
    const medurwkv::ZipArchive archive("fuzzed", bytes);
    constexpr std::uint64_t limit = 1 << 20;
    for (const medurwkv::ZipMember& member : archive.members()) {
      if (archive.find(member.name) != &member) medurwkv::throw_internal("a member is not found");
      const std::string content = archive.read(member, limit);
      constexpr std::size_t few = 100;
      if (archive.start(member, few) != content.substr(0, few)) {
        medurwkv::throw_internal("a member starts with something else");
      }
    }
  });
}
