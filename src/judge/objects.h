// Single objects of a class (nuclei, glands, lesions) in truth and prediction: which were found,
// and how well. Relies on data/layout/objects.h, judge/distance.h and judge/pixels.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/image/image.h"
#include "data/layout/objects.h"
#include "judge/distance.h"

namespace medurwkv::judge {

/// IoU above which an object counts as found: 0.5, 0.55, ..., 0.95. Above 0.5 a pair is the only
/// one of both its objects.
inline constexpr std::size_t found_levels = 10;
inline constexpr double found_level(std::size_t k) {
  return 0.5 + 0.05 * static_cast<double>(k);
}

/// One object of the truth.
struct TrueObject {
  std::int64_t pixels = 0;
  bool found = false;    ///< a predicted object's IoU with it is above 0.5
  bool touched = false;  ///< a predicted object shares a pixel with it
};

/// Objects of one class in one case, or of many cases added up.
struct ObjectCounts {
  std::int64_t in_truth = 0;
  std::int64_t predicted = 0;
  std::array<std::int64_t, found_levels> found{};  ///< pairs with an IoU above each level
  double found_iou = 0;                            ///< sum of the IoU of those above 0.5
  std::vector<TrueObject> objects;                 ///< of the truth

  ObjectCounts& operator+=(const ObjectCounts& other);

  /// Absent where they would be divided by 0.
  [[nodiscard]] std::optional<double> precision() const;  ///< found / predicted
  [[nodiscard]] std::optional<double> recall() const;     ///< found / in truth
  [[nodiscard]] std::optional<double> f1() const;         ///< 2 found / (predicted + in truth)
  [[nodiscard]] std::optional<double> f1_swept() const;   ///< the mean of F1 over the levels
  [[nodiscard]] std::optional<double> segmentation_quality() const;  ///< mean IoU of those found
  /// Kirillov et al., CVPR 2019: F1 times the mean IoU of those found.
  [[nodiscard]] std::optional<double> panoptic_quality() const;
};

struct ObjectFigures : ObjectCounts {
  /// Absent where neither truth nor prediction has an object.
  std::optional<double> aggregated_jaccard;  ///< AJI (Kumar et al., IEEE TMI 36, 2017)
  std::optional<double> dice;       ///< of the GlaS challenge (Sirinukunwattana et al. 2017)
  std::optional<double> hausdorff;  ///< likewise, in units of spacing
};

/// Where the objects of both sides come from.
struct ObjectSources {
  const data::ObjectMap* truth = nullptr;  ///< null: connected parts of the label
  const data::ObjectMap* prediction = nullptr;
};

/// Parts of pixels of the label that touch by sides or corners, from 1 on.
data::ObjectMap connected_parts(const data::LabelMap& labels, std::uint8_t label);

/// Of one class. A pixel is one of an object where the label map has the class there and the truth
/// is not ignored. `apart`: what the Hausdorff distance is where one side has no object at all.
ObjectFigures object_figures(const data::LabelMap& truth, const data::LabelMap& prediction,
                             std::uint8_t label, const ObjectSources& sources, Spacing spacing,
                             double apart);

}  // namespace medurwkv::judge
