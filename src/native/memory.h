// Memory that the native engine keeps: large pieces on the borders of cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace medurwkv::native {

struct FreeMemory {
  void operator()(std::byte* memory) const;
};
/// Aligned to 64 bytes.
using Memory = std::unique_ptr<std::byte, FreeMemory>;

/// Not zeroed. Throws std::bad_alloc. In ordinary pages: docs/decisions.md says what huge ones
/// cost.
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
