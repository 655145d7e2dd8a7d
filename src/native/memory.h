// Memory of programs: what they run over lies in huge pages where the system gives them, so that
// running does not wait for the page tables. Relies on the standard library and Linux's madvise.
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

/// Huge pages are worth it where memory is run over again and again. Getting them is not free: on a
/// machine whose memory is full of the files' cache the system first makes room for them, which
/// doubled the time of reading 800 MB.
enum class Pages { ordinary, huge };

/// Not zeroed. Throws std::bad_alloc.
Memory memory_of(std::int64_t bytes, Pages pages);

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
