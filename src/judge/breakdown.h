// A set's cases looked at in parts: images with and without a class, by stratum, by the size of
// what is to be found. Relies on judge/objects.h and judge/summary.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "judge/objects.h"
#include "judge/summary.h"

namespace medurwkv::judge {

/// Whole images told apart by whether they have a class: it is found in an image where any of its
/// pixels is predicted.
struct ImageLevel {
  std::uint8_t label = 0;         ///< 0: any class but the background
  std::int64_t found = 0;         ///< images that have it, predicted
  std::int64_t missed = 0;        ///< that have it, not predicted
  std::int64_t hallucinated = 0;  ///< that lack it, predicted
  std::int64_t clean = 0;         ///< that lack it, not predicted

  [[nodiscard]] std::int64_t with() const { return found + missed; }
  [[nodiscard]] std::int64_t without() const { return hallucinated + clean; }
  [[nodiscard]] std::optional<double> sensitivity() const;  ///< found / with
  [[nodiscard]] std::optional<double> specificity() const;  ///< clean / without
};

/// Of any class, where there are several, then of each.
std::vector<ImageLevel> image_levels(std::span<const CaseScores> cases);

/// Cases of one kind.
struct Stratum {
  std::string by;    ///< what tells kinds apart: "folder", a column of --strata
  std::string name;  ///< of this kind; empty: cases that the column leaves empty
  std::int64_t cases = 0;
  std::vector<Statistic> class_mean;  ///< of each metric, over cases of their mean over classes
};

/// By each of `by` (the names of CaseScores::strata) its kinds in order of their names; none where
/// all cases are of one kind.
std::vector<Stratum> strata_of(std::span<const CaseScores> cases,
                               const std::vector<std::string>& by, std::uint64_t seed);

/// The cases that have a class, the third with the smallest share of its pixels first.
struct SizeGroup {
  std::uint8_t label = 0;
  double least = 0;  ///< smallest share of the image's pixels in the group
  double most = 0;   ///< largest
  std::int64_t cases = 0;
  std::vector<Statistic> metrics;  ///< of the class
};

/// Of each class that at least six cases have.
std::vector<SizeGroup> size_groups(std::span<const CaseScores> cases, std::uint64_t seed);

/// The true objects of a class, the smallest third first.
struct ObjectSizeGroup {
  std::int64_t least = 0;  ///< pixels of the smallest
  std::int64_t most = 0;   ///< of the largest
  std::int64_t objects = 0;
  std::int64_t found = 0;    ///< with an IoU above 0.5
  std::int64_t touched = 0;  ///< with a pixel in common with a predicted one
};

/// None for fewer than six objects.
std::vector<ObjectSizeGroup> object_size_groups(const ObjectCounts& counts);

/// Pixels of each true class (rows, background first) by predicted class, without ignored ones.
using Confusion = std::vector<std::vector<std::int64_t>>;
void add_confusion(const data::LabelMap& truth, const data::LabelMap& prediction,
                   std::size_t class_count, Confusion& out);

}  // namespace medurwkv::judge
