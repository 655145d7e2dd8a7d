// A validation case as a row of pictures. Relies on predict/overlay.h and train/task/panels.h.
#pragma once

#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::train {

/// Image, image with the truth, image with the prediction, next to each other as panels. Throws
/// Error when the sizes differ.
data::Image strip_row(const data::Image& image, const data::LabelMap& truth,
                      const data::LabelMap& prediction, const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::train
