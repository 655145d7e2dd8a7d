#include "predict/predictor.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace medurwkv::predict {

namespace {

void check_logits(const std::vector<float>& logits, std::size_t expected,
                  const ModelDescription& model) {
  if (logits.size() != expected) {
    throw_internal(concat("the engine gave ", logits.size(), " logits, expected ", expected));
  }
  if (!std::all_of(logits.begin(), logits.end(),
                   [](float value) { return std::isfinite(value); })) {
    throw_failure(concat(model.file,
                         ": the model's output is not finite (NaN or infinity); its "
                         "weights are damaged or its training diverged"));
  }
}

}  // namespace

void softmax_over_classes(std::vector<float>& logits, std::size_t class_count) {
  const std::size_t pixels = logits.size() / class_count;
  for (std::size_t i = 0; i < pixels; ++i) {
    float largest = logits[i];
    for (std::size_t c = 1; c < class_count; ++c) {
      largest = std::max(largest, logits[c * pixels + i]);
    }
    float sum = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      float& value = logits[c * pixels + i];
      value = std::exp(value - largest);
      sum += value;
    }
    for (std::size_t c = 0; c < class_count; ++c) logits[c * pixels + i] /= sum;
  }
}

data::LabelMap likeliest_class(const std::vector<float>& probabilities, std::size_t class_count,
                               data::ImageSize size) {
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  data::LabelMap out{size.width, size.height, std::vector<std::uint8_t>(pixels, 0)};
  std::vector<float> best(probabilities.begin(),
                          probabilities.begin() + static_cast<std::ptrdiff_t>(pixels));
  for (std::size_t c = 1; c < class_count; ++c) {
    const float* plane = probabilities.data() + c * pixels;
    for (std::size_t i = 0; i < pixels; ++i) {
      if (plane[i] <= best[i]) continue;
      best[i] = plane[i];
      out.labels[i] = static_cast<std::uint8_t>(c);
    }
  }
  return out;
}

Prediction predict_image(Engine& engine, const data::Image& image) {
  const ModelDescription& model = engine.description();
  const std::size_t class_count = model.classes.size();
  if (class_count < 2 || class_count > ignore_label) {
    throw_internal(concat("a model with ", class_count, " classes"));
  }
  const data::ImageSize size{image.width, image.height};
  const data::Placement where = data::placement_of(model.input, size);
  const auto [width, height] = where.input;
  std::vector<float> planes =
      engine.logits(data::to_network_input(image, model.input), height, width);
  check_logits(planes, class_count * static_cast<std::size_t>(width * height), model);
  softmax_over_classes(planes, class_count);
  Prediction out;
  out.probabilities =
      data::to_image_size(std::move(planes), static_cast<std::int64_t>(class_count), where, size);
  out.labels = likeliest_class(out.probabilities, class_count, size);
  return out;
}

}  // namespace medurwkv::predict
