// Memory of the process: what it asks of the C library's allocator, what it may take, what it has
// taken. Relies on core/text.h and Linux's /proc.
#pragma once

#include <cstdint>

namespace medurwkv {

/// Freed memory stays with the process, blocks of up to 32 MB on the heap: tensors come and go by
/// the thousand, and fresh pages for each cost a tenth of a network's time. Where the C library is
/// not glibc nothing happens.
void keep_freed_memory();

/// Bytes that the process can still take: the least of what the kernel calls available, what the
/// control groups above this process leave (versions 1 and 2; file caches count as free) and what
/// the limits on address space and data leave. Without any of these files: no bound.
std::int64_t available_memory();

/// Bytes of physical memory that the process holds now, and the most it has ever held; 0 where the
/// kernel does not say.
std::int64_t resident_memory();
std::int64_t peak_memory();

}  // namespace medurwkv
