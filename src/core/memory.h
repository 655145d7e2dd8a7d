// What the process asks of the C library's allocator. Relies on the standard library alone.
#pragma once

namespace medurwkv {

/// Freed memory stays with the process, blocks of up to 32 MB on the heap: tensors come and go by
/// the thousand, and fresh pages for each cost a tenth of a network's time. Where the C library is
/// not glibc nothing happens.
void keep_freed_memory();

}  // namespace medurwkv
