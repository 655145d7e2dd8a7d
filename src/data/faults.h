// What is wrong with a set, each fault with its remedy: the checks behind `data check`. Relies on
// data/dataset.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/stop.h"
#include "data/dataset.h"

namespace medurwkv::data {

enum class Severity { warning, error };

struct Fault {
  Severity severity = Severity::warning;
  std::string kind;    ///< short fixed name, for example "size-mismatch"
  std::string where;   ///< file or pair of files
  std::string what;    ///< one line
  std::string remedy;  ///< one line
};

/// The findings over a folder; counts that a reader of the set wants beside the faults.
struct CheckReport {
  std::int64_t pairs = 0;
  std::int64_t images = 0;
  std::int64_t masks = 0;
  std::int64_t empty_masks = 0;
  ImageSize smallest, largest;
  std::string encoding;
  std::vector<ClassInfo> classes;
  std::vector<std::int64_t> class_pixels;  ///< per class index
  std::vector<Fault> faults;
};

/// Reads every file. Never throws for a fault of the data; throws for a root that is no folder.
CheckReport check_dataset(const std::filesystem::path& root, const DatasetOptions& options,
                          const StopSignal& stop, bool quiet);

nlohmann::json to_json(const CheckReport& report);

}  // namespace medurwkv::data
