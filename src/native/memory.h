// Memory that a program keeps: large pieces, in huge pages where the system gives them, so that
// neither reading weights nor running over them waits for the page tables. Relies on the standard
// library and Linux's madvise.
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

/// Not zeroed. Throws std::bad_alloc.
Memory memory_of(std::int64_t bytes);

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
