// One image in, its label map and class probabilities out. Relies on core/engine.h and
// data/geometry.h.
#pragma once

#include <vector>

#include "core/engine.h"
#include "data/geometry.h"

namespace medurwkv::predict {

struct Prediction {
  data::LabelMap labels;  ///< at the image's own size
  std::vector<float>
      probabilities;  ///< classes x height x width at that size, 0..1, sum 1 per pixel
};

/// Brings the image to the network's input as the model's contract says, runs the engine, takes the
/// softmax over classes, resizes what the image covers of the probabilities bilinearly to the
/// image's own size and picks the likeliest class per pixel, the lower one on a tie. Throws Error
/// when the model's output is not finite, and as placement_of does. Not safe to call from two
/// threads with one engine.
Prediction predict_image(Engine& engine, const data::Image& image);

/// Softmax over the first dimension of `logits`, classes x pixels, in place.
void softmax_over_classes(std::vector<float>& logits, std::size_t class_count);

/// The class with the largest value per pixel of `probabilities`, classes x height x width.
data::LabelMap likeliest_class(const std::vector<float>& probabilities, std::size_t class_count,
                               data::ImageSize size);

}  // namespace medurwkv::predict
