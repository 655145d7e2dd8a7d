// Reading files, whole or in pieces, within bounds, and their SHA-256; core/output.h writes them.
// Relies on core/descriptor.h, core/memory.h, POSIX and nettle.
#pragma once

#include <nettle/sha2.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/descriptor.h"
#include "core/output.h"

namespace medurwkv {

/// The file's bytes. Throws Error naming the file when it cannot be read, is not a regular file,
/// holds more than `limit` bytes or more than there is memory for (core/memory.h).
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t limit = std::uint64_t{1} << 34);

/// The file's first bytes, `most` at most. Throws Error as read_file does.
std::string read_start(const std::filesystem::path& path, std::size_t most);

/// An open file that is read piece by piece, from any thread.
class FilePieces {
 public:
  /// Throws Error naming the file when it cannot be opened or is not a regular file.
  explicit FilePieces(std::filesystem::path path);
  /// A file that is in memory already: `bytes` must outlive this.
  FilePieces(std::filesystem::path path, std::string_view bytes);

  /// The file's size in bytes when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// `count` bytes from `start`. Throws Error naming the file when they are not there (any more),
  /// or when there is no memory for them.
  [[nodiscard]] std::string read(std::uint64_t start, std::uint64_t count) const;
  /// The same into memory that is there already: out.size() bytes from `start`.
  void read(std::uint64_t start, std::span<char> out) const;
  /// A look at them: where they lie if the file is in memory, else read into `room`.
  [[nodiscard]] std::string_view look(std::uint64_t start, std::uint64_t count,
                                      std::string& room) const;

 private:
  void refuse_beyond(std::uint64_t start, std::uint64_t count) const;

  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  Descriptor file_;
  std::string_view memory_;  ///< in place of the descriptor
};

/// Paths of the folder's entries, sorted. Throws Error naming the folder when it cannot be listed
/// completely: a part is never taken for the whole.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);

/// SHA-256 of bytes that come piece after piece.
class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  /// 64 lower-case hexadecimal digits; the next byte begins anew.
  std::string finish();

 private:
  sha256_ctx state_{};
};

/// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);

/// Bytes of a trivially copyable span, for writing and hashing.
template <class T>
std::string_view as_text(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace medurwkv
