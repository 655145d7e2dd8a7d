// Pictures of validation cases under each other. Relies on predict/overlay.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::train {

inline constexpr std::int64_t panel_side = 160;  ///< pixels
inline constexpr std::int64_t panel_gap = 4;

/// Image, image with the truth, image with the prediction, next to each other as 8-bit RGB; each
/// resized into a square of panel_side with its aspect ratio kept, in the middle of white. Throws
/// Error when the sizes differ.
data::Image strip_row(const data::Image& image, const data::LabelMap& truth,
                      const data::LabelMap& prediction, const std::vector<ClassInfo>& classes);

/// The rows under each other, all of one width.
data::Image stacked(const std::vector<data::Image>& rows);

}  // namespace medurwkv::train
