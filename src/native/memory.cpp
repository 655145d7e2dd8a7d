#include "native/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "core/shape.h"

namespace medurwkv::native {
namespace {

constexpr std::int64_t line = 64;
constexpr std::int64_t huge_page = std::int64_t{2} << 20;

}  // namespace

void FreeMemory::operator()(std::byte* memory) const {
  ::operator delete (memory, std::align_val_t{alignment});
}

std::int64_t free_in_huge_pages() {
  // A line for each zone: "Node 0, zone Normal", then how many pieces of 1, 2, 4, ... pages lie
  // free.
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  std::ifstream file("/proc/buddyinfo");
  std::int64_t out = 0;
  for (std::string zone; std::getline(file, zone);) {
    std::istringstream words(zone);
    std::string word;
    for (int i = 0; i < 4; ++i) words >> word;
    std::int64_t piece = page;
    for (std::int64_t count = 0; words >> count; piece *= 2) {
      if (piece >= huge_page) out += count * piece;
    }
  }
  return out;
}

Memory memory_of(std::int64_t bytes) {
  const std::int64_t alignment = bytes < huge_page ? line : huge_page;
  const std::int64_t size = round_up(std::max<std::int64_t>(bytes, 1), alignment);
  const auto aligned = static_cast<std::size_t>(alignment);
  Memory out(static_cast<std::byte*>(
                 ::operator new (static_cast<std::size_t>(size), std::align_val_t{aligned})),
             {aligned});
  // Only a wish: without huge pages everything works, a little slower.
  if (alignment == huge_page && size <= free_in_huge_pages()) {
    madvise(out.get(), static_cast<std::size_t>(size), MADV_HUGEPAGE);
  }
  return out;
}

std::byte* Arena::take(std::int64_t bytes) {
  bytes = round_up(bytes, line);
  if (bytes > left_) {
    // What is large has a piece of its own, and the rest of the last one stays in use.
    if (bytes >= huge_page / 2) return chunks_.emplace_back(memory_of(bytes)).get();
    next_ = chunks_.emplace_back(memory_of(huge_page)).get();
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
