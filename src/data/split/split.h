// The split of a set into parts: made by seed, by folds or by the set's own lists, written as JSON
// (docs/formats.md), verified when read. Relies on
// data/layout/dataset.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/listener.h"
#include "data/image/fingerprint.h"
#include "data/layout/dataset.h"

namespace medurwkv::data {

/// Case ids of the three parts, each sorted.
struct Split {
  std::vector<std::string> train, val, test;
  std::string data_sha256;  ///< over ids and contents of all files, so a change is seen
};

/// Parts of a set by name: "train", "val", "test" or "all". Throws usage Error for another name.
std::vector<Case> part_of(const Dataset& dataset, const Split& split, const std::string& part);

/// What a split must know of a case beside its name.
struct CaseTraits {
  std::string image;  ///< equal for equal images; empty = unknown
  Fingerprint print;
  std::vector<std::int64_t> class_pixels;  ///< background first
};

struct SplitRatios {
  double train = 0.7, val = 0.1, test = 0.2;
};

struct SplitRequest {
  SplitRatios ratios = {};  ///< with folds only `test` counts, as a share of 1
  /// 0, or k >= 2: all cases but those of test are dealt to k parts of the same size, and each part
  /// is val once.
  int folds = 0;
  /// The parts that the set itself names. Where it has no val, val is taken from its train; with
  /// folds only its test stays.
  bool official = false;
  std::uint64_t seed = 0;
  /// A regular expression (ECMAScript) whose groups, or else whose match, in a case's id are the
  /// case's group; empty = the groups that the set has.
  std::string group_by = {};
};

/// What a split file says.
struct SplitPlan {
  SplitRequest request;
  Split parts;  ///< with folds train and val are empty
  std::vector<std::vector<std::string>> folds;
  /// SHA-256 per case, over its files; empty when the file is of an older medurwkv.
  std::map<std::string, std::string> contents;
  /// Cases left out of all parts: the set's own parts have them in train or val, but they share an
  /// image, look or group (patient) with a case of a later part (train, val, test; with folds train
  /// and val are one).
  std::vector<std::string> leaks{};
};

/// Whether the set names parts.
bool has_official_parts(const Dataset& dataset);

/// Gives every case the group that the pattern finds in its id, or else in its id with its folder
/// before it (name_in_folder). Throws a usage Error for a pattern that is no regular expression,
/// and for ids that it does not match, naming the first.
void group_by(std::vector<Case>& cases, const std::string& pattern);

/// Throws a usage Error for a request that this set cannot meet, before its images are read.
void check_request(const Dataset& dataset, const SplitRequest& request);

/// Cases of one group, equal images and near duplicates stay in one part, also where only other
/// cases connect them. Classes, sizes of the foreground and the set's own kinds are spread evenly.
/// The plan depends on names, contents, `traits` and the request alone. `traits` are by case.
/// Throws a usage Error for a request that cannot be met, and Stopped.
SplitPlan make_split(const Dataset& dataset, const std::vector<CaseTraits>& traits,
                     const SplitRequest& request, Listener& listener);

/// Train, val and test of a plan; with folds, those with `fold` (1 to k) as val. Throws a usage
/// Error for a fold of a plan without folds, and without a fold for a plan with folds.
Split parts_of(const SplitPlan& plan, std::optional<int> fold);

/// Throws Error for a case whose name JSON cannot hold.
nlohmann::json split_to_json(const Dataset& dataset, const SplitPlan& plan);

/// Reads a split file without a set. Throws Error naming what is wrong with it.
SplitPlan read_plan(const std::filesystem::path& file);
/// Reads a split file and verifies it against the set: every id is known and contents are
/// unchanged. Throws Error naming the first difference.
Split read_split(const std::filesystem::path& file, const Dataset& dataset,
                 std::optional<int> fold = {});
/// The options a split file fixes (encoding and classes), so that every command that gets the file
/// opens the set alike.
DatasetOptions split_options(const std::filesystem::path& file);

}  // namespace medurwkv::data
