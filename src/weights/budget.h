// The memory that reading one file may take. Relies on core.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

namespace medurwkv::weights {

/// Counts what a reader is about to allocate beside the file's own bytes: as much as the file is
/// long, and 40 MB. What the file claims beyond that is refused, whatever it is.
class Budget {
 public:
  Budget(std::string file, std::uint64_t file_bytes)
      : file_(std::move(file)), limit_(file_bytes + spare), left_(limit_) {}

  /// To be called before `bytes` are allocated for `what`. Throws Error naming the file, also where
  /// so much memory is not left (core/memory.h).
  void charge(std::uint64_t bytes, const char* what) {
    if (bytes > left_) {
      throw_failure(concat(file_, ": asks for more memory than a file of its size may: more than ",
                           limit_, " bytes beside its own, here for ", what));
    }
    const MemoryClaim claim(file_, static_cast<std::int64_t>(bytes));
    left_ -= bytes;
  }

 private:
  static constexpr std::uint64_t spare = 40'000'000;
  std::string file_;
  std::uint64_t limit_;
  std::uint64_t left_;
};

}  // namespace medurwkv::weights
