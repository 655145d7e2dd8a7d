#include "native/memory.h"

#include <algorithm>
#include <new>

#include "core/shape.h"

namespace medurwkv::native {
namespace {

constexpr std::int64_t line = 64;
constexpr std::int64_t chunk = std::int64_t{2} << 20;
constexpr std::align_val_t alignment{line};

}  // namespace

void FreeMemory::operator()(std::byte* memory) const {
  ::operator delete(memory, alignment);
}

Memory memory_of(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  return Memory(static_cast<std::byte*>(::operator new(size, alignment)));
}

std::byte* Arena::take(std::int64_t bytes) {
  bytes = round_up(bytes, line);
  if (bytes > left_) {
    // What is large has a piece of its own, and the rest of the last one stays in use.
    if (bytes >= chunk / 2) return chunks_.emplace_back(memory_of(bytes)).get();
    next_ = chunks_.emplace_back(memory_of(chunk)).get();
    left_ = chunk;
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
