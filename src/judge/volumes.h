// Slices put back into the volumes they were cut from. Relies on data/layout/dataset.h and
// judge/judged_case.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/layout/dataset.h"
#include "judge/judged_case.h"

namespace medurwkv::judge {

/// One class in a whole volume.
struct VolumeClass {
  Counts counts;
  MaskPair masks;  ///< cut to the smallest box that holds both
};

struct Volume {
  std::string name;
  std::string group;  ///< of its first slice
  Lengths lengths;    ///< of its slices
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t depth = 0;            ///< slices
  std::vector<VolumeClass> classes;  ///< by label, the background first and left empty
};

/// Takes the cases of a set one by one and gives each volume when its last slice has come.
class VolumeGatherer {
 public:
  /// `cases`: all that will be added. Throws Error for two slices at one place of a volume.
  VolumeGatherer(std::span<const data::Case> cases, std::size_t class_count);

  [[nodiscard]] bool has_volumes() const { return has_volumes_; }

  /// For a case with a volume. Slices of one volume lie one after another in the order of their
  /// numbers, whatever is missing between them. Throws Error where their sizes or spacings differ.
  std::optional<Volume> add(const data::Case& item, const JudgedCase& judged);

 private:
  struct Slice {
    data::LabelMap truth, prediction;
  };
  struct Partial {
    std::int64_t missing = 0;
    std::string group;
    Lengths lengths;
    std::map<std::int64_t, Slice> slices;  ///< by place
  };
  [[nodiscard]] Volume whole(const std::string& name, const Partial& from) const;

  std::map<std::string, Partial> volumes_;
  std::size_t class_count_;
  bool has_volumes_ = false;
};

/// A volume of which not all slices are judged.
struct IncompleteVolume {
  std::string name;
  std::int64_t judged = 0;              ///< its slices among the judged cases
  std::int64_t in_set = 0;              ///< and in the whole set
  std::vector<std::int64_t> missing{};  ///< numbers between its first and last that the set lacks
};

/// Of the volumes of `judged`. Numbers are taken to rise by the smallest step between two of them.
std::vector<IncompleteVolume> incomplete_volumes(std::span<const data::Case> judged,
                                                 std::span<const data::Case> set);

/// Gives every case the volume and the place in it that the pattern finds in its id: its first
/// group is the volume's name, its second the slice's number. Throws a usage
/// Error for a pattern that is no regular expression with two groups, for ids that it does not
/// match, for what is no number, and for two slices at one place.
void regroup_volumes(std::vector<data::Case>& cases, const std::string& pattern);

}  // namespace medurwkv::judge
