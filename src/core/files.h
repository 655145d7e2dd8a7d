// Reading whole files within a bound, writing them so that nothing is ever half there, and their
// SHA-256. Relies on POSIX and nettle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace medurwkv {

/// The file's bytes. Throws Error naming the file when it cannot be read, is not a regular file or
/// holds more than `limit` bytes.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t limit = std::uint64_t{1} << 34);

/// The file's first bytes, `most` at most. Throws Error as read_file does.
std::string read_start(const std::filesystem::path& path, std::size_t most);

/// A file of which pieces are read where they lie, from any thread.
class FilePieces {
 public:
  /// Throws Error naming the file when it cannot be opened or is not a regular file.
  explicit FilePieces(std::filesystem::path path);
  FilePieces(const FilePieces&) = delete;
  FilePieces& operator=(const FilePieces&) = delete;
  FilePieces(FilePieces&&) = delete;
  FilePieces& operator=(FilePieces&&) = delete;
  ~FilePieces();

  /// Bytes when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// `count` bytes from `start`. Throws Error naming the file when they are not there (any more).
  [[nodiscard]] std::string read(std::uint64_t start, std::uint64_t count) const;

 private:
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
};

/// Replaces `path` by `bytes` atomically: temporary file in the same folder, fsync, rename, fsync
/// of the folder. On an Error the former file is untouched and the temporary one is gone.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// As write_file, for content made piece by piece: `produce` is given a function that appends.
using AppendBytes = std::function<void(std::string_view)>;
void write_file(const std::filesystem::path& path,
                const std::function<void(const AppendBytes&)>& produce);

/// Removes what writers of `path` that were killed have left of their temporary files. Only for one
/// who knows that nobody is writing it now.
void remove_leftovers(const std::filesystem::path& path);

/// Makes the folder (and its parents) where there is none, to write in it. Throws Error naming it
/// when that fails or when this process may not write there.
void make_folder(const std::filesystem::path& path);

/// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);
std::string sha256_file(const std::filesystem::path& path);

/// Bytes of a trivially copyable span, for writing and hashing.
template <class T>
std::string_view as_text(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace medurwkv
