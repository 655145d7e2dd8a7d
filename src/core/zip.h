// Zip archives, read so that nothing in them is taken on trust. Relies on core/files.h and zlib.
//
// What other readers leave open is refused here: members that overlap, share their bytes or leave
// gaps, a local header that says something else than the central directory, two members of one
// name, names that lead out of a folder, encryption, several disks, and every method but "stored"
// and "deflate". Nothing is allocated on the word of a length alone. Format: PKWARE's APPNOTE 6.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace medurwkv {

/// The CRC-32 of bytes that came before (0: none) and `bytes` behind them.
std::uint32_t zip_crc(std::uint32_t before, std::string_view bytes);

struct ZipMember {
  std::string_view name;    ///< within the archive's directory
  std::uint64_t start = 0;  ///< byte of the archive where its packed bytes begin
  std::uint64_t packed = 0;
  std::uint64_t size = 0;  ///< bytes when unpacked, as the archive claims
  std::uint32_t crc = 0;
  bool deflated = false;
};

class ZipArchive {
 public:
  /// Reads the directory and checks it against every local header. `pieces` must outlive this;
  /// `file` is its name in messages. Throws Error naming the file and the place.
  ZipArchive(std::string file, const FilePieces& pieces);
  /// An archive in memory: `bytes` must outlive this.
  ZipArchive(std::string file, std::string_view bytes);
  // Names of members lie in the archive's own memory.
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;
  ZipArchive(ZipArchive&&) = delete;
  ZipArchive& operator=(ZipArchive&&) = delete;
  ~ZipArchive() = default;

  /// In the order of their bytes; folders (names that end in '/') are among them.
  [[nodiscard]] const std::vector<ZipMember>& members() const { return members_; }
  /// Null when there is none of that name.
  [[nodiscard]] const ZipMember* find(std::string_view name) const;

  /// The content of a member that is not deflated, as FilePieces::look gives it, checked against
  /// its CRC.
  [[nodiscard]] std::string_view stored(const ZipMember& member, std::string& room) const;
  /// The content, checked against its size and CRC. Throws Error when it is larger than `limit`
  /// bytes, before anything is allocated.
  [[nodiscard]] std::string read(const ZipMember& member, std::uint64_t limit) const;
  /// The first bytes of the content, `most` at most, for a look at its header: no CRC is checked.
  [[nodiscard]] std::string start(const ZipMember& member, std::size_t most) const;

 private:
  void read_directory();
  void index_names();

  std::string file_;
  std::optional<FilePieces> memory_;  ///< of an archive in memory
  const FilePieces& bytes_;
  std::string directory_;  ///< of an archive that is not in memory
  std::vector<ZipMember> members_;
  std::vector<std::uint32_t> by_name_;
};

}  // namespace medurwkv
