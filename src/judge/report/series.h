// Evaluations of several models of one kind (folds, seeds) side by side, and of all of them
// together. Relies on judge/summary.h and nlohmann/json.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "judge/summary.h"

namespace medurwkv::judge {

/// One line of a series' table.
struct SeriesRow {
  std::string name;
  Summary summary;
  std::vector<Metric> metrics = default_metrics();  ///< of its statistics; the same in all lines
};

/// The trained models one by one, mean and spread over them, then all of them together: ensembles,
/// or all folds' cases.
std::string series_text(const std::vector<SeriesRow>& trained,
                        const std::vector<SeriesRow>& together);
/// docs/formats.md: series.json.
nlohmann::json series_json(const std::vector<SeriesRow>& trained,
                           const std::vector<SeriesRow>& together, const std::string& command);

}  // namespace medurwkv::judge
