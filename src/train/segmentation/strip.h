// Validation cases as rows of pictures. Relies on predict/overlay.h and train/task/panels.h.
#pragma once

#include <cstddef>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::train {

/// The same cases after every epoch, a row each: image, image with the truth, image with the
/// prediction, next to each other as panels.
class Strip {
 public:
  /// Draws row `row`, at most one behind those there are; image and truth are drawn for the first
  /// time alone. Throws Error when the sizes differ.
  void draw(std::size_t row, const data::Image& image, const data::LabelMap& truth,
            const data::LabelMap& prediction, const std::vector<ClassInfo>& classes);
  /// All rows under each other, 8-bit RGB; empty without any.
  [[nodiscard]] data::Image sheet() const;

 private:
  struct Row {
    data::Image image, truth, prediction;  ///< as panels
  };
  std::vector<Row> rows_;
};

}  // namespace medurwkv::train
