// The models that a path names: one, or those of a series of trainings (folds, seeds), and what is
// told about several. Relies on judge/report.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "judge/report.h"

namespace medurwkv::cli {

struct Member {
  std::string name;  ///< "fold1", "seed0", "fold1/seed0"; empty for a single model
  std::filesystem::path model;
  int fold = 0;  ///< that was its val part; 0: none
};

/// A model file; the best.model of a run folder; or those of the runs in its subfolders foldK,
/// seedS and foldK/seedS, by number. Throws Error when the path holds none, and naming the first of
/// a series' runs that has none (yet).
std::vector<Member> members_of(const std::filesystem::path& path);

/// One line of a series' table.
struct MemberResult {
  std::string name;
  judge::Summary summary;
};

/// The trained models one by one, mean and spread over them, then what they are together:
/// ensembles, or all folds' cases.
std::string series_text(const std::vector<MemberResult>& trained,
                        const std::vector<MemberResult>& together);
/// docs/formats.md: series.json.
nlohmann::json series_json(const std::vector<MemberResult>& trained,
                           const std::vector<MemberResult>& together, const std::string& command);

}  // namespace medurwkv::cli
