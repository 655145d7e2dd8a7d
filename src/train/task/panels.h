// Pictures beside and under each other, for the strips of a run. Relies on data/image/geometry.h.
#pragma once

#include <cstdint>
#include <vector>

#include "data/image/geometry.h"
#include "data/image/image.h"

namespace medurwkv::train {

inline constexpr std::int64_t panel_side = 160;  ///< pixels
inline constexpr std::int64_t panel_gap = 4;

/// The size at which an image fills a panel with its aspect ratio kept.
data::ImageSize panel_size(const data::Image& image);

/// 8-bit RGB at another size.
data::Image resized(const data::Image& stored, data::ImageSize to);

/// 8-bit RGB images of a size of panel_size() next to each other, each in the middle of a white
/// square of panel_side.
data::Image side_by_side(const std::vector<data::Image>& panels);

/// The rows under each other, all of one width.
data::Image stacked(const std::vector<data::Image>& rows);

}  // namespace medurwkv::train
