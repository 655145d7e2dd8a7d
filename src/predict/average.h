// The mean of several predictions. Relies on predict/predictor.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "predict/predictor.h"

namespace medurwkv::predict {

/// The mean of planes of probabilities, added one after the other.
class Average {
 public:
  /// Throws an internal Error for planes of another size than those before.
  void add(std::vector<float> planes);
  /// The mean of what was added; the average is empty afterwards.
  [[nodiscard]] std::vector<float> take();

 private:
  std::vector<float> sum_;
  std::int64_t count_ = 0;
};

/// The mean of the probabilities, pixel by pixel, and its likeliest class. All of one size and
/// number of classes; throws internal Error when not.
Prediction averaged(std::span<const Prediction> predictions, std::size_t class_count);

}  // namespace medurwkv::predict
