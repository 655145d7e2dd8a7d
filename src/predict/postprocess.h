// Corrections of a label map that a user may ask for; none is made otherwise. Relies on
// data/image/image.h.
//
// An object is a 4-connected set of pixels of one foreground class (as scipy.ndimage.label finds
// them). The corrections are made in the order of PostOptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/image/image.h"

namespace medurwkv::predict {

struct PostOptions {
  /// A pixel gets its likeliest foreground class where that has at least this probability, else the
  /// background. None: the likeliest of all classes.
  std::optional<double> threshold;
  bool fill_holes = false;
  bool largest = false;       ///< of each class the largest object alone
  std::int64_t min_area = 0;  ///< objects of fewer pixels become background
};

/// The classes at a threshold; `probabilities` are classes x height x width. Of equally likely
/// classes the lower one.
data::LabelMap labels_at(const std::vector<float>& probabilities, std::size_t class_count,
                         data::ImageSize size, double threshold);

/// Background that does not reach the image's edge (4-connected) and touches one class alone
/// becomes that class. With one class this is scipy.ndimage.binary_fill_holes.
void fill_holes(data::LabelMap& map);

/// Of each class the object of the most pixels stays, the first in reading order among equals; the
/// others become background.
void keep_largest(data::LabelMap& map);

/// Objects of fewer than `min_area` pixels become background.
void drop_small(data::LabelMap& map, std::int64_t min_area);

/// All corrections but the threshold.
void correct(data::LabelMap& map, const PostOptions& options);

/// 4-connected sets of equal labels, numbered from 0 in reading order.
struct Components {
  std::vector<std::int32_t> of;    ///< per pixel
  std::vector<std::int64_t> area;  ///< per component, in pixels
  std::vector<std::uint8_t> label;
};
Components components_of(const data::LabelMap& map);

}  // namespace medurwkv::predict
