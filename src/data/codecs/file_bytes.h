// The bytes that a decoder reads: of memory, or of a file, read when they are wanted. Decoders run
// within C libraries, through whose frames nothing may be thrown. Relies on core/files.h.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "core/files.h"

namespace medurwkv::data {

class FileBytes {
 public:
  /// The memory must outlive the object.
  explicit FileBytes(std::string_view memory) : memory_(memory), size_(memory.size()) {}
  /// Throws Error naming the file.
  explicit FileBytes(const std::filesystem::path& file)
      : file_(std::in_place, file), size_(file_->size()) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Fills `out` from `start`; false where that many bytes are not there or cannot be read.
  bool read(std::uint64_t start, std::span<char> out) noexcept;

  /// Throws the Error of a file that could not be read, where there was one.
  void throw_if_failed() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::optional<FilePieces> file_;
  std::string_view memory_;
  std::uint64_t size_ = 0;
  std::exception_ptr failure_;
};

}  // namespace medurwkv::data
