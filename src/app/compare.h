// `compare`: two or more evaluations of the same cases, paired. Relies on judge/compare.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/listener.h"
#include "judge/compare.h"

namespace medurwkv::app {

struct CompareRequest {
  std::vector<std::filesystem::path> evaluations;  ///< folders that `evaluate` wrote
  judge::CompareOptions how{};
  std::filesystem::path out;
  bool force = false;  ///< overwrite an earlier comparison
};

struct CompareResult {
  judge::Comparison comparison;
  std::vector<std::string> written;  ///< below `out`
};

/// The page has pictures where the images and masks are still where they were. Throws Error.
CompareResult compare(const CompareRequest& request, Listener& listener);

}  // namespace medurwkv::app
