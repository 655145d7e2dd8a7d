#include "predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

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

/// (across, down) of every view of an image.
std::vector<std::pair<bool, bool>> mirrorings(bool flips) {
  if (!flips) return {{false, false}};
  return {{false, false}, {true, false}, {false, true}, {true, true}};
}

/// Planes of `size`, mirrored in place.
void mirror_planes(std::vector<float>& planes, data::ImageSize size, bool across, bool down) {
  const auto width = static_cast<std::ptrdiff_t>(size.width);
  const std::ptrdiff_t area = width * static_cast<std::ptrdiff_t>(size.height);
  for (auto plane = planes.begin(); plane != planes.end(); plane += area) {
    // All pixels backwards are both mirrorings at once.
    if (down) std::reverse(plane, plane + area);
    if (across == down) continue;
    for (auto row = plane; row != plane + area; row += width) std::reverse(row, row + width);
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

void check_same_classes(const Ensemble& ensemble) {
  const ModelDescription& first = ensemble.engines.front()->description();
  const auto names = [](const ModelDescription& model) {
    std::vector<std::string> out;
    for (const ClassInfo& one : model.classes) out.push_back(one.name);
    return join(out, ", ");
  };
  for (const Engine* engine : ensemble.engines) {
    const ModelDescription& other = engine->description();
    if (names(other) == names(first)) continue;
    throw_usage(concat(other.file, ": has the classes ", names(other), ", ", first.file, " has ",
                       names(first), "; only models of the same classes are averaged"));
  }
}

std::vector<float> probabilities_of(Engine& engine, const data::Image& image) {
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
  return data::to_image_size(std::move(planes), static_cast<std::int64_t>(class_count), where,
                             size);
}

data::Image mirrored(const data::Image& image, bool across, bool down) {
  data::Image out = image;
  const auto width = static_cast<std::size_t>(image.width);
  const auto height = static_cast<std::size_t>(image.height);
  if (width == 0 || height == 0) return out;
  const std::size_t pixel = image.bytes.size() / (width * height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t from_y = down ? height - 1 - y : y;
      const std::size_t from_x = across ? width - 1 - x : x;
      std::copy_n(
          image.bytes.begin() + static_cast<std::ptrdiff_t>((from_y * width + from_x) * pixel),
          pixel, out.bytes.begin() + static_cast<std::ptrdiff_t>((y * width + x) * pixel));
    }
  }
  return out;
}

Prediction predict_image(const Ensemble& ensemble, const data::Image& image) {
  const data::ImageSize size{image.width, image.height};
  const std::size_t class_count = ensemble.engines.front()->description().classes.size();
  Prediction out;
  std::size_t count = 0;
  for (Engine* engine : ensemble.engines) {
    for (const auto& [across, down] : mirrorings(ensemble.flips)) {
      const bool turned = across || down;
      std::vector<float> one =
          probabilities_of(*engine, turned ? mirrored(image, across, down) : image);
      if (turned) mirror_planes(one, size, across, down);
      if (count++ == 0) {
        out.probabilities = std::move(one);
      } else {
        std::transform(one.begin(), one.end(), out.probabilities.begin(), out.probabilities.begin(),
                       std::plus<>());
      }
    }
  }
  if (count > 1) {
    const float factor = 1.0F / static_cast<float>(count);
    for (float& value : out.probabilities) value *= factor;
  }
  out.labels = likeliest_class(out.probabilities, class_count, size);
  return out;
}

std::vector<float> unsureness(const std::vector<float>& probabilities, std::size_t class_count) {
  const std::size_t pixels = probabilities.size() / class_count;
  std::vector<float> out(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    float first = 0;
    float second = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      const float value = probabilities[c * pixels + i];
      second = std::max(second, std::min(first, value));
      first = std::max(first, value);
    }
    out[i] = 1 - (first - second);
  }
  return out;
}

}  // namespace medurwkv::predict
