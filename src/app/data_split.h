// `data split`: divides a set into parts. Relies on data/split/split.h.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "app/set.h"
#include "core/listener.h"
#include "data/layout/dataset.h"
#include "data/split/split.h"

namespace medurwkv::app {

struct SplitDataRequest {
  SetRequest set;
  std::filesystem::path out;
  /// Shares of train, val and test. None: the set's own parts where it has them, else 0.7, 0.1,
  /// 0.2.
  std::optional<std::array<double, 3>> ratios{};
  int folds = 0;         ///< this many parts that take turns as val; 0: none
  double test = 0;       ///< with folds: share of a test part beside them
  std::string group_by;  ///< regular expression that finds the group in a name; or empty
  std::uint64_t seed = 0;
  bool force = false;  ///< replace an existing file
};

struct SplitDataResult {
  data::Dataset dataset;
  data::SplitPlan plan;
  nlohmann::json json;  ///< what was written
};

/// Throws Error, and Stopped.
SplitDataResult split_data(const SplitDataRequest& request, Listener& listener);

}  // namespace medurwkv::app
