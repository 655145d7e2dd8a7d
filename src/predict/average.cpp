#include "predict/average.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/error.h"

namespace medurwkv::predict {

void Average::add(std::vector<float> planes) {
  if (count_++ == 0) {
    sum_ = std::move(planes);
    return;
  }
  if (planes.size() != sum_.size()) throw_internal("an average of predictions of different sizes");
  std::transform(planes.begin(), planes.end(), sum_.begin(), sum_.begin(), std::plus<>());
}

std::vector<float> Average::take() {
  if (count_ == 0) throw_internal("an average of no predictions");
  if (count_ > 1) {
    const float factor = 1.0F / static_cast<float>(count_);
    for (float& value : sum_) value *= factor;
  }
  count_ = 0;
  return std::exchange(sum_, {});
}

Prediction averaged(std::span<const Prediction> predictions, std::size_t class_count) {
  Average average;
  for (const Prediction& one : predictions) average.add(one.probabilities);
  Prediction out;
  out.probabilities = average.take();
  const data::LabelMap& first = predictions.front().labels;
  for (const Prediction& one : predictions) {
    if (one.labels.width != first.width) {
      throw_internal("an average of predictions of different sizes");
    }
  }
  out.labels = likeliest_class(out.probabilities, class_count, {first.width, first.height});
  return out;
}

}  // namespace medurwkv::predict
