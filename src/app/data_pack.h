// `data pack`: a set as one portable file. Relies on app/set.h.
#pragma once

#include <cstdint>
#include <filesystem>

#include "app/set.h"
#include "core/listener.h"

namespace medurwkv::app {

struct PackRequest {
  SetRequest set;
  std::filesystem::path out;
  bool force = false;  ///< replace an existing file
};

struct PackResult {
  std::int64_t cases = 0;
  std::uint64_t bytes = 0;
};

/// Throws Error, and Stopped.
PackResult pack_data(const PackRequest& request, Listener& listener);

}  // namespace medurwkv::app
