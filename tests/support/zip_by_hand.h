// Zip archives written field by field, so that tests can lie in any of them. Relies on zlib for
// what is deflated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zlib.h>

namespace medurwkv::test {

/// `value` in `width` bytes, little endian.
inline std::string little(std::uint64_t value, unsigned width) {
  std::string out;
  for (unsigned i = 0; i < width; ++i) {
    out += static_cast<char>(i < 8 ? (value >> (8 * i)) & 0xffU : 0);
  }
  return out;
}

/// Overwrites a number within bytes.
inline void put(std::string& bytes, std::size_t at, std::uint64_t value, unsigned width) {
  bytes.replace(at, width, little(value, width));
}

struct ZipEntry {
  std::string name;
  std::string content;
  bool deflate = false;
  bool descriptor = false;  ///< lengths and CRC behind the bytes, zeros in the local header
  bool wide = false;        ///< lengths in 64-bit fields
  std::string extra = {};   ///< further extra field of the local header
};

struct ZipEnd {
  std::string comment = {};
  bool wide = false;  ///< a 64-bit end record and its locator in front of the end record
};

/// An archive and where its parts lie.
struct ZipBytes {
  std::string bytes;
  std::vector<std::size_t> local;    ///< of each local header
  std::vector<std::size_t> content;  ///< of each member's packed bytes
  std::vector<std::size_t> central;  ///< of each directory entry
  std::size_t directory = 0;
  std::size_t end64 = 0;
  std::size_t end = 0;
};

inline std::string deflated(std::string_view content, int level = 9) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string in(content);
  std::string out(deflateBound(&stream, in.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline ZipBytes make_zip(const std::vector<ZipEntry>& entries, const ZipEnd& end = {}) {
  ZipBytes out;
  std::string directory;
  std::vector<std::size_t> central;
  for (const ZipEntry& entry : entries) {
    const std::string packed = entry.deflate ? deflated(entry.content) : entry.content;
    const auto crc =
        crc32_z(0, reinterpret_cast<const Bytef*>(entry.content.data()), entry.content.size());
    const std::uint64_t all_ones = 0xffffffff;
    const std::string wide_field = entry.wide ? little(1, 2) + little(16, 2) +
                                                    little(entry.content.size(), 8) +
                                                    little(packed.size(), 8)
                                              : "";
    const unsigned width = entry.wide ? 8 : 4;
    const std::string lengths =
        little(crc, 4) + little(packed.size(), width) + little(entry.content.size(), width);
    const std::string narrow = little(crc, 4) + little(entry.wide ? all_ones : packed.size(), 4) +
                               little(entry.wide ? all_ones : entry.content.size(), 4);
    const std::string common =
        little(entry.descriptor ? 8 : 0, 2) + little(entry.deflate ? 8 : 0, 2) + little(0, 4);
    const bool open = entry.descriptor && !entry.wide;
    const std::string local_extra = wide_field + entry.extra;
    out.local.push_back(out.bytes.size());
    out.bytes += "PK\3\4" + little(20, 2) + common + (open ? std::string(12, '\0') : narrow) +
                 little(entry.name.size(), 2) + little(local_extra.size(), 2) + entry.name +
                 local_extra;
    out.content.push_back(out.bytes.size());
    out.bytes += packed;
    if (entry.descriptor) out.bytes += "PK\7\10" + lengths;
    central.push_back(directory.size());
    directory += "PK\1\2" + little(20, 2) + little(20, 2) + common + narrow +
                 little(entry.name.size(), 2) + little(wide_field.size(), 2) + little(0, 10) +
                 little(out.local.back(), 4) + entry.name + wide_field;
  }
  out.directory = out.bytes.size();
  for (const std::size_t at : central) out.central.push_back(out.directory + at);
  out.bytes += directory;
  const std::size_t count = entries.size();
  if (end.wide) {
    out.end64 = out.bytes.size();
    out.bytes += "PK\6\6" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) +
                 little(count, 8) + little(count, 8) + little(directory.size(), 8) +
                 little(out.directory, 8);
    out.bytes += "PK\6\7" + little(0, 4) + little(out.end64, 8) + little(1, 4);
  }
  out.end = out.bytes.size();
  out.bytes += "PK\5\6" + little(0, 4) + little(count, 2) + little(count, 2) +
               little(directory.size(), 4) + little(out.directory, 4) +
               little(end.comment.size(), 2) + end.comment;
  return out;
}

}  // namespace medurwkv::test
