// The heap of this test program, watched: every allocation of the process passes through here, and
// can be made to fail. Relies on glibc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace medurwkv::test {

struct Allocation {
  std::size_t bytes = 0;
  const void* caller = nullptr;
};

/// The file that the code at this address is from: "libdnnl.so.2", "test_allocation".
std::string module_of(const void* address);

/// What all threads allocate from `start_watching` to `stop_watching`. At most 4096 are kept, more
/// are only counted.
struct Watched {
  std::vector<Allocation> kept;
  std::int64_t count = 0;
};
void start_watching();
Watched stop_watching();

/// From now on allocation `number` (from 0) and all later ones fail, of all threads, until
/// `allow_allocations`: the program's own of any size, and from 4096 bytes on those of libraries.
/// oneDNN and libgomp crash without the few bytes of their lists.
void fail_allocations_from(std::int64_t number);
void allow_allocations();
std::int64_t failed_allocations();

}  // namespace medurwkv::test
