// Memory that a program keeps: large pieces, in huge pages where the system has them, so that
// neither reading weights nor running over them waits for the page tables. Relies on the standard
// library, Linux's madvise and /proc/buddyinfo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace medurwkv::native {

struct FreeMemory {
  std::size_t alignment = 0;
  void operator()(std::byte* memory) const;
};
/// Aligned to 64 bytes at least.
using Memory = std::unique_ptr<std::byte, FreeMemory>;

/// Not zeroed. Throws std::bad_alloc. Huge pages are asked for where enough of them lie free: on a
/// machine whose memory is full of the files' cache the kernel would make room for each first,
/// which doubled the time of reading 800 MB.
Memory memory_of(std::int64_t bytes);

/// Bytes that lie free in pieces of a huge page at least; 0 where the kernel does not say.
std::int64_t free_in_huge_pages();

/// Pieces that live as long as all of them.
class Arena {
 public:
  /// Aligned to 64 bytes, not zeroed.
  std::byte* take(std::int64_t bytes);
  std::span<float> floats(std::int64_t count);

 private:
  std::vector<Memory> chunks_;
  std::byte* next_ = nullptr;
  std::int64_t left_ = 0;
};

}  // namespace medurwkv::native
