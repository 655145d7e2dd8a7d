// Memory of the process: how its allocator behaves, how much it may take, how much it holds. Relies
// on core/error.h, core/text.h and Linux's /proc.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace medurwkv {

/// Tells glibc to keep freed memory, and to take blocks of up to 32 MB from the heap. A network
/// makes and frees tensors by the thousand; fresh pages for each cost a tenth of its time. Does
/// nothing with another C library.
void keep_freed_memory();

/// Bytes that the process can still take: the least of what the kernel calls available, what the
/// control groups above this process leave (versions 1 and 2; file caches count as free) and what
/// the limits on address space and data leave. Without any of these files: no bound.
std::int64_t available_memory();

/// Bytes of physical memory that the process holds now, and the most it has ever held; 0 where the
/// kernel does not say.
std::int64_t resident_memory();
std::int64_t peak_memory();

/// The most that the process may hold, in bytes (--memory); 0: what the machine has. To be set
/// before work begins.
void set_memory_limit(std::int64_t bytes);
std::int64_t memory_limit();

/// Bytes that can be taken now: available_memory(), or less where the limit leaves less.
std::int64_t memory_left();

/// "1.2 GB are left (--memory allows 2.0 GB in all)".
std::string memory_left_text(std::int64_t left);

/// What a MemoryClaim throws: waiting for others to give memory back may help.
class MemoryError : public Error {
 public:
  explicit MemoryError(const std::string& message) : Error(ErrorKind::failure, message) {}
};

/// Memory that is about to be allocated because a file says so. The claim must live until that
/// memory is filled: from then on resident_memory() counts it. A claim that does not fit beside
/// those of other threads waits for them to end, so what is refused does not depend on which thread
/// came first. A claim of less than 16 MB, or within a claim of the same thread, does nothing.
class MemoryClaim {
 public:
  /// Throws MemoryError naming `what` (a file), the bytes and the remedy when so much is not left.
  MemoryClaim(const std::string& what, std::int64_t bytes);
  MemoryClaim(const MemoryClaim&) = delete;
  MemoryClaim& operator=(const MemoryClaim&) = delete;
  MemoryClaim(MemoryClaim&&) = delete;
  MemoryClaim& operator=(MemoryClaim&&) = delete;
  ~MemoryClaim();

 private:
  std::int64_t bytes_ = 0;  ///< 0: nothing was claimed
};

}  // namespace medurwkv
