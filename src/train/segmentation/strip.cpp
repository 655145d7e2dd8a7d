#include "train/segmentation/strip.h"

#include "core/error.h"
#include "core/model_description.h"
#include "data/image/geometry.h"
#include "predict/overlay.h"
#include "train/task/panels.h"

namespace medurwkv::train {

data::Image strip_row(const data::Image& image, const data::LabelMap& truth,
                      const data::LabelMap& prediction, const std::vector<ClassInfo>& classes) {
  const auto differs = [&](const data::LabelMap& labels) {
    return labels.width != image.width || labels.height != image.height;
  };
  if (differs(truth) || differs(prediction)) throw_internal("a strip of pictures of unequal sizes");
  const data::ImageSize size = panel_size(image);
  const data::Image small = resized(image, size);
  std::vector<data::Image> panels{small};
  for (const data::LabelMap* labels : {&truth, &prediction}) {
    panels.push_back(predict::overlay(small, data::resize_nearest(*labels, size), classes));
  }
  return side_by_side(panels);
}

}  // namespace medurwkv::train
