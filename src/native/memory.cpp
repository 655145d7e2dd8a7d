#include "native/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "core/shape.h"

namespace medurwkv::native {
namespace {

constexpr std::int64_t line = 64;
constexpr std::int64_t huge_page = std::int64_t{2} << 20;

}  // namespace

void FreeMemory::operator()(std::byte* memory) const {
  ::operator delete (memory, std::align_val_t{alignment});
}

Memory memory_of(std::int64_t bytes, Pages pages) {
  const std::int64_t alignment = pages == Pages::ordinary || bytes < huge_page ? line : huge_page;
  const std::int64_t size = round_up(std::max<std::int64_t>(bytes, 1), alignment);
  const auto aligned = static_cast<std::size_t>(alignment);
  Memory out(static_cast<std::byte*>(
                 ::operator new (static_cast<std::size_t>(size), std::align_val_t{aligned})),
             {aligned});
  // Only a wish: without huge pages everything works, a little slower.
  if (alignment == huge_page) madvise(out.get(), static_cast<std::size_t>(size), MADV_HUGEPAGE);
  return out;
}

std::byte* Arena::take(std::int64_t bytes) {
  bytes = round_up(bytes, line);
  if (bytes > left_) {
    // What is large has a piece of its own, and the rest of the last one stays in use.
    if (bytes >= huge_page / 2) return chunks_.emplace_back(memory_of(bytes, Pages::huge)).get();
    next_ = chunks_.emplace_back(memory_of(huge_page, Pages::huge)).get();
    left_ = huge_page;
  }
  std::byte* const out = next_;
  next_ += bytes;
  left_ -= bytes;
  return out;
}

std::span<float> Arena::floats(std::int64_t count) {
  return {reinterpret_cast<float*>(take(count * std::int64_t{sizeof(float)})),
          static_cast<std::size_t>(count)};
}

}  // namespace medurwkv::native
