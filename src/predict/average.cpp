#include "predict/average.h"

#include <utility>

#include "core/error.h"

namespace medurwkv::predict {

Prediction averaged(std::span<const Prediction> predictions, std::size_t class_count) {
  if (predictions.empty()) throw_internal("an average of no predictions");
  const data::LabelMap& first = predictions.front().labels;
  std::vector<float> sum(predictions.front().probabilities.size(), 0);
  for (const Prediction& one : predictions) {
    if (one.probabilities.size() != sum.size() || one.labels.width != first.width) {
      throw_internal("an average of predictions of different sizes");
    }
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one.probabilities[i];
  }
  const auto count = static_cast<float>(predictions.size());
  for (float& value : sum) value /= count;
  Prediction out;
  out.labels = likeliest_class(sum, class_count, {first.width, first.height});
  out.probabilities = std::move(sum);
  return out;
}

}  // namespace medurwkv::predict
