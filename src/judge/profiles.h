// The rules by which others compute their published figures, so that a set can be judged by each of
// them side by side. Formulas, edge cases and sources: docs/metrics.md. `make test-peers` compares
// medpy, monai and deepmind with the packages of these names. Relies on judge/metrics.h and
// data/layout/dataset.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/layout/dataset.h"
#include "judge/metrics.h"
#include "judge/statistics.h"

namespace medurwkv::judge {

struct ProfileInfo {
  const char* name;
  const char* unit;   ///< what is scored by itself: "image", "volume", "batch" or "set"
  const char* about;  ///< in a few words
};
inline constexpr std::array<ProfileInfo, 9> profiles{{
    {"default", "image", "larger of both directions' HD95; one empty: Dice 0, HD95 the diagonal"},
    {"medpy", "image", "HD95 over both directions' distances together; both empty: Dice 1"},
    {"monai", "image", "without truth no Dice; without one of the masks no HD95"},
    {"deepmind", "image", "contour elements weighted by length"},
    {"transunet", "volume", "medpy on volumes without spacing; no truth: Dice 1, HD95 0"},
    {"pooled", "set", "one confusion matrix over all pixels (VM-UNet, SRWKV)"},
    {"batch", "batch", "IoU per batch, Dice derived from it (CMUNeXt, U-Bench)"},
    {"isic", "image", "Jaccard below 0.65 counts 0; both empty: 1"},
    {"volumes", "volume", "the rules of default on whole volumes, with the slices' spacing"},
}};

/// The names, checked and without repeats, in the order above; "all" stands for all. Throws a usage
/// Error with the nearest.
std::vector<std::string> profile_names(const std::vector<std::string>& wanted);

/// A set judged by one profile.
struct ProfileTable {
  std::string profile;
  std::string unit;                   ///< as ProfileInfo::unit; "image" where there are no volumes
  std::vector<std::string> units;     ///< ids of images or volumes, "batch 1", ..., "set"
  std::vector<double> weights;        ///< of each unit in the means: the images of a batch, else 1
  std::vector<std::string> groups{};  ///< of each volume (its patient); empty for other units
  std::vector<std::string> metrics;   ///< keys
  /// By class (label - 1), metric and unit.
  std::vector<std::vector<std::vector<std::optional<double>>>> values;

  /// The weighted mean over units of each unit's mean over classes, both over what is defined.
  /// Absent for a metric the profile does not know.
  [[nodiscard]] std::optional<double> mean(const std::string& metric) const;
  /// Likewise of one class.
  [[nodiscard]] std::optional<double> mean(const std::string& metric, std::size_t position) const;
  /// Of each unit the mean over classes, over what is defined.
  [[nodiscard]] std::vector<std::optional<double>> unit_means(const std::string& metric) const;
  /// "18 images".
  [[nodiscard]] std::string unit_count() const;
  /// Units that the mean is over.
  [[nodiscard]] std::int64_t used(const std::string& metric) const;
};

/// Takes the cases of a set one by one and judges them by one profile. The profile `default` is
/// made of what score_case gives (default_table).
class ProfileJudge {
 public:
  /// `cases`: all that will be added, in that order. `batch`: images of a batch.
  ProfileJudge(const std::string& profile, std::span<const data::Case> cases,
               std::size_t class_count, std::int64_t batch = 8);
  ~ProfileJudge();
  ProfileJudge(const ProfileJudge&) = delete;
  ProfileJudge& operator=(const ProfileJudge&) = delete;
  ProfileJudge(ProfileJudge&&) noexcept;
  ProfileJudge& operator=(ProfileJudge&&) = delete;

  /// `judged` is the same case for all profiles, made with `pooled` where needs_pooled says so.
  /// Throws Error when the slices of a volume are not of one size.
  void add(const data::Case& item, JudgedCase& judged);
  /// The same for one profile alone. Throws Error as score_case, too.
  void add(const data::Case& item, const data::LabelMap& truth, const data::LabelMap& prediction,
           const Lengths& lengths = {});
  [[nodiscard]] ProfileTable finish();

  class Rules;

 private:
  std::unique_ptr<Rules> rules_;
};

/// Whether a profile's units are volumes.
bool judges_volumes(const std::string& profile);

/// Whether a profile uses BorderFigures::hd95_pooled.
bool needs_pooled(const std::string& profile);

ProfileTable default_table(std::span<const CaseScores> cases);

/// A column in the order of the side-by-side table: profiles without it show a dash.
struct ProfileColumn {
  const char* key;
  const char* name;
  bool is_length;
};
inline constexpr std::array<ProfileColumn, 6> profile_columns{{
    {"dice", "Dice", false},
    {"iou", "IoU", false},
    {"hd95", "HD95", true},
    {"assd", "ASSD", true},
    {"nsd", "NSD", false},
    {"threshold_jaccard", "Threshold Jaccard", false},
}};

}  // namespace medurwkv::judge
