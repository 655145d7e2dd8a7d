#include "train/segmentation/strip.h"

#include "core/error.h"
#include "core/model_description.h"
#include "data/image/geometry.h"
#include "predict/overlay.h"
#include "train/task/panels.h"

namespace medurwkv::train {

void Strip::draw(std::size_t row, const data::Image& image, const data::LabelMap& truth,
                 const data::LabelMap& prediction, const std::vector<ClassInfo>& classes) {
  const auto differs = [&](const data::LabelMap& labels) {
    return labels.width != image.width || labels.height != image.height;
  };
  if (differs(truth) || differs(prediction)) throw_internal("a strip of pictures of unequal sizes");
  const data::ImageSize size = panel_size(image);
  const auto panel = [&](const data::Image& small, const data::LabelMap& labels) {
    return predict::overlay(small, data::resize_nearest(labels, size), classes);
  };
  if (row == rows_.size()) {
    const data::Image small = resized(image, size);
    rows_.push_back({.image = small, .truth = panel(small, truth), .prediction = {}});
  }
  Row& drawn = rows_.at(row);
  drawn.prediction = panel(drawn.image, prediction);
}

data::Image Strip::sheet() const {
  if (rows_.empty()) return {};
  std::vector<data::Image> rows;
  for (const Row& row : rows_) rows.push_back(side_by_side({row.image, row.truth, row.prediction}));
  return stacked(rows);
}

}  // namespace medurwkv::train
