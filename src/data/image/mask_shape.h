// What a mask's foreground looks like as a whole, to find masks that were drawn or saved wrongly.
// Relies on data/image/image.h.
#pragma once

#include <cstdint>

#include "data/image/image.h"

namespace medurwkv::data {

/// Foreground is every label but 0 and ignore_label, all classes as one. Its regions are
/// 8-connected, those of the background 4-connected.
struct MaskShape {
  std::int64_t pixels = 0;      ///< all but ignored ones
  std::int64_t foreground = 0;  ///< pixels
  std::int64_t enclosed = 0;    ///< background pixels that foreground keeps from the image's edge
  std::int64_t border = 0;      ///< pixels along the image's edge
  std::int64_t border_foreground = 0;
  std::int64_t regions = 0;
  std::int64_t largest_region = 0;  ///< pixels
  std::int64_t specks = 0;          ///< regions of at most speck_pixels, alone in speck_distance
};

/// Small spots beside a region belong to its ragged edge.
inline constexpr std::int64_t speck_pixels = 3;
inline constexpr std::int64_t speck_distance = 8;

MaskShape shape_of(const LabelMap& labels);

/// All of it is foreground.
bool is_full(const MaskShape& shape);
/// Foreground and background are exchanged: what surrounds the object is marked.
bool is_inverted(const MaskShape& shape);
/// A closed line is drawn around what should be filled.
bool is_outline(const MaskShape& shape);
/// A few lone spots lie beside a real region. Many spots are taken for objects.
bool has_specks(const MaskShape& shape);

}  // namespace medurwkv::data
