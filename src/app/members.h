// The models that a path names: one, or those of a series of trainings (folds, seeds). Relies on
// the standard library alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace medurwkv::app {

struct Member {
  std::string name;  ///< "fold1", "seed0", "fold1/seed0"; empty for a single model
  std::filesystem::path model;
  int fold = 0;  ///< the fold that it was validated on; 0: none
};

/// A model file; the best.model of a run folder; or those of the runs in its subfolders foldK,
/// seedS and foldK/seedS, by number. Throws Error when the path holds none, and for the first run
/// of a series that has none yet.
std::vector<Member> members_of(const std::filesystem::path& path);

}  // namespace medurwkv::app
