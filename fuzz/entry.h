// What every fuzz target shares: bytes go into a reader, which takes them or throws an Error that
// is not a bug of ours. Relies on core/error.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"

namespace medurwkv::fuzz {

/// Calls `read` with the bytes; any other end than a return or such an Error crashes the fuzzer.
template <class Read>
int run(const std::uint8_t* data, std::size_t size, const Read& read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
  }
  return 0;
}

}  // namespace medurwkv::fuzz
