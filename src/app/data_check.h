// `data check`: what is wrong with a set, and a repaired copy of it. Relies on data/check/faults.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "app/set.h"
#include "core/listener.h"
#include "data/check/faults.h"

namespace medurwkv::app {

struct CheckRequest {
  SetRequest set;
  std::filesystem::path split;    ///< split file whose parts must share nothing; or empty
  std::filesystem::path against;  ///< another set, which must share nothing with `set`; or empty
  std::filesystem::path fix;      ///< folder of a repaired copy; empty: none is made
};

/// The repaired copy.
struct Repaired {
  std::int64_t written = 0;    ///< pairs
  std::size_t repairs = 0;     ///< listed in its repairs.json
  data::CheckReport report{};  ///< of the copy
};

struct CheckResult {
  data::CheckReport report;
  std::optional<Repaired> repaired{};

  /// Whether the set, or its repaired copy, has no errors.
  [[nodiscard]] bool is_sound() const {
    return (repaired ? repaired->report : report).errors() == 0;
  }
};

/// Reads every file. Throws Error for a root that cannot be opened, for options that do not fit and
/// for a copy that cannot be written, and Stopped.
CheckResult check_data(const CheckRequest& request, Listener& listener);

/// The answer of --json, and of the library's command.
nlohmann::json answer_of(const CheckRequest& request, const CheckResult& result);

}  // namespace medurwkv::app
