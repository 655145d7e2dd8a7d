// What is wrong with a set, each fault with its remedy: the checks behind `data check`
// (docs/check-data.md lists them). Relies on data/check/examine.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/listener.h"
#include "core/model_description.h"
#include "data/check/examine.h"
#include "data/check/fault.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

struct CheckOptions {
  DatasetOptions dataset = {};
  /// A split file whose parts must share nothing; empty = the parts that the set itself has.
  std::filesystem::path split = {};
  /// Another set that must share nothing with this one; empty = none.
  std::filesystem::path against = {};
};

/// What was found in a set: its faults, and counts beside them.
struct CheckReport {
  std::string layout;
  std::int64_t pairs = 0;
  std::int64_t images = 0;
  std::int64_t masks = 0;
  std::int64_t unlabelled = 0;  ///< images of a part whose masks are withheld
  std::int64_t groups = 0;      ///< patients and the like
  std::int64_t empty_masks = 0;
  ImageSize smallest, largest;
  std::string encoding;
  std::vector<ClassInfo> classes;
  std::vector<std::int64_t> class_pixels;     ///< per class index
  std::vector<std::int64_t> class_cases;      ///< cases that hold the class
  std::map<std::string, std::int64_t> parts;  ///< cases of each part, where there are parts
  std::vector<Fault> faults;                  ///< errors first

  [[nodiscard]] std::int64_t errors() const;
};

/// Throws Error, with the remedy, for the first error in the set: in its layout if there is one,
/// else in its names, masks and, where they were read, images. No reason to throw: files without a
/// partner and files of formats that are not read (they are left out, and Dataset::notes counts
/// them), and leaks between parts (a matter of the split).
void refuse_errors(const Examination& set);

/// examine and refuse_errors: a set as `data split` and others that read every image open it.
Examination open_examined(const std::filesystem::path& root, const DatasetOptions& options,
                          Listener& listener);

/// Reads every file. Never throws for a fault of the data; throws for a root that cannot be opened,
/// for options that do not fit, and Stopped.
CheckReport check_dataset(const std::filesystem::path& root, const CheckOptions& options,
                          Listener& listener);

/// The report of what was read already.
CheckReport report_on(const Examination& set, const CheckOptions& options, Listener& listener);

nlohmann::json to_json(const CheckReport& report);

}  // namespace medurwkv::data
