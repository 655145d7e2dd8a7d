#include "allocation/heap.h"

#include <dlfcn.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <string_view>

// glibc's own, under the names that are left when malloc is replaced.
// NOLINTBEGIN(*-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}
// NOLINTEND(*-reserved-identifier,readability-identifier-naming)

namespace medurwkv::test {
namespace {

constexpr std::int64_t most = 4096;
constexpr std::int64_t never = INT64_MAX;

std::atomic<bool> watching{false};
std::atomic<std::int64_t> seen{0};
std::array<Allocation, most> all;
std::atomic<std::int64_t> left{never};  ///< allocations until they fail
std::atomic<std::int64_t> failed{0};
std::atomic<const void*> program_begin{nullptr};
std::atomic<const void*> program_end{nullptr};

bool can_fail(std::size_t bytes, const void* caller) {
  return bytes >= 4096 || (caller >= program_begin && caller < program_end);
}

}  // namespace

/// Called for each allocation; whether it succeeds.
bool meet(std::size_t bytes, const void* caller) {
  if (watching) {
    const std::int64_t at = seen++;
    if (at < most) all[static_cast<std::size_t>(at)] = {.bytes = bytes, .caller = caller};
  }
  if (left == never || !can_fail(bytes, caller) || left-- > 0) return true;
  left = 0;
  ++failed;
  return false;
}

std::string module_of(const void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0) return "unknown";
  const std::string_view path = info.dli_fname;
  return std::string(path.substr(path.rfind('/') + 1));
}

void start_watching() {
  seen = 0;
  watching = true;
}

Watched stop_watching() {
  watching = false;
  const auto count = static_cast<std::ptrdiff_t>(std::min<std::int64_t>(seen, most));
  return {.kept = {all.begin(), all.begin() + count}, .count = seen};
}

void fail_allocations_from(std::int64_t number) {
  if (program_end == nullptr) {
    Dl_info info{};
    ::dladdr(reinterpret_cast<const void*>(&fail_allocations_from), &info);
    const void* const base = info.dli_fbase;
    const auto* end = static_cast<const std::byte*>(base);
    while (::dladdr(end, &info) != 0 && info.dli_fbase == base) end += 4096;
    program_begin = base;
    program_end = end;
  }
  failed = 0;
  left = number;
}

void allow_allocations() {
  left = never;
}

std::int64_t failed_allocations() {
  return failed;
}

namespace {

void* new_from(std::size_t size, std::size_t alignment, const void* caller) {
  void* const out = !meet(size, caller) ? nullptr
                    : alignment == 0    ? __libc_malloc(size)
                                        : __libc_memalign(alignment, size);
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

}  // namespace
}  // namespace medurwkv::test

using medurwkv::test::meet;
using medurwkv::test::new_from;

// NOLINTBEGIN(*-reserved-identifier,*-macro-usage)
#define MEDURWKV_HERE __builtin_return_address(0)

extern "C" {
#pragma GCC visibility push(default)
void* malloc(std::size_t size) {
  return meet(size, MEDURWKV_HERE) ? __libc_malloc(size) : nullptr;
}
void* calloc(std::size_t count, std::size_t size) {
  return meet(count * size, MEDURWKV_HERE) ? __libc_calloc(count, size) : nullptr;
}
void* realloc(void* memory, std::size_t size) {
  return meet(size, MEDURWKV_HERE) ? __libc_realloc(memory, size) : nullptr;
}
void* memalign(std::size_t alignment, std::size_t size) {
  return meet(size, MEDURWKV_HERE) ? __libc_memalign(alignment, size) : nullptr;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return meet(size, MEDURWKV_HERE) ? __libc_memalign(alignment, size) : nullptr;
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* const memory = meet(size, MEDURWKV_HERE) ? __libc_memalign(alignment, size) : nullptr;
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
#pragma GCC visibility pop
}

// libstdc++'s would call malloc, and be the caller of all of them.
void* operator new(std::size_t size) {
  return new_from(size, 0, MEDURWKV_HERE);
}
void* operator new[](std::size_t size) {
  return new_from(size, 0, MEDURWKV_HERE);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return new_from(size, static_cast<std::size_t>(alignment), MEDURWKV_HERE);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return new_from(size, static_cast<std::size_t>(alignment), MEDURWKV_HERE);
}
// NOLINTEND(*-reserved-identifier,*-macro-usage)
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*a*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*size*/, std::align_val_t /*a*/) noexcept {
  std::free(memory);
}
