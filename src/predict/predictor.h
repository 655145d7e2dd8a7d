// One image in, its label map and class probabilities out. Relies on core/engine.h and
// data/image/geometry.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/model_description.h"
#include "data/image/geometry.h"
#include "predict/postprocess.h"

namespace medurwkv::predict {

struct Prediction {
  data::LabelMap labels;  ///< at the image's own size
  std::vector<float>
      probabilities;  ///< classes x height x width at that size, 0..1, sum 1 per pixel
};

/// Several models, and whether each sees the image's mirror images, too.
struct Ensemble {
  std::vector<Engine*> engines;  ///< at least one; the classes are the first one's
  bool flips = false;            ///< left and right, up and down, both
  /// Of tiles (predict/tile_run.h), for models that see images as they are; 0: as each model says.
  std::int64_t tile_side = 0;

  Ensemble(Engine& engine) : engines{&engine} {}  // NOLINT(google-explicit-constructor): one model
  Ensemble(std::vector<Engine*> several, bool with_flips, std::int64_t side = 0)
      : engines(std::move(several)), flips(with_flips), tile_side(side) {}
};

/// Bytes that predict_image takes for the image and its result, beside the network's own.
std::int64_t prediction_bytes(const Ensemble& ensemble, const data::Image& image);

/// The windows that follow from an image's values and that some of the models want of it: what is
/// to be predicted is read with these (data/codecs/own_windows.h).
std::vector<OwnWindow> wanted_windows(const std::vector<Engine*>& engines);

/// Throws a usage Error naming both files when two models see volumes in different planes.
Plane plane_of(const std::vector<Engine*>& engines);

/// Throws a usage Error naming both files when two models have different classes.
void check_same_classes(const Ensemble& ensemble);

/// What a network gave for an image.
struct NetworkOutput {
  std::vector<float> logits;  ///< outputs x height x width of where.input
  data::Placement where;
  data::ImageSize image;
};

/// Brings images to the network's input as the model's contract says and runs the engine; all of
/// one input size run together. In the order of `images`. Throws Error when the model's output is
/// not finite, for an image whose channels the model does not take, and as image_planes does. Not
/// safe to call from two threads with one engine.
std::vector<NetworkOutput> run_network(Engine& engine, std::span<const data::Image* const> images);

/// Softmax over the classes (of regions: core/regions.h), and what the image covers of it resized
/// bilinearly to the image's own size: classes x height x width, 0..1, sum 1 per pixel.
std::vector<float> probabilities_of(NetworkOutput output, const ModelDescription& model);

/// The mean of all models' probabilities (of all mirror images, mirrored back), each model seeing
/// the whole image: classes x height x width of it. Throws as run_network.
std::vector<float> mean_probabilities(const Ensemble& ensemble, const data::Image& image);

/// The same, models that see tiles seeing those (predict/tile_run.h), and the likeliest class per
/// pixel, the lower one on a tie; no temperature has acted yet (decide). Throws as run_network, and
/// where memory is not left for it (core/memory.h).
Prediction predict_image(const Ensemble& ensemble, const data::Image& image);

/// predict_image; what it throws begins with `name`, the image's.
Prediction predict_named(const Ensemble& ensemble, const data::Image& image,
                         const std::string& name);

/// The temperature that acts on the mean of their probabilities (core/model_description.h).
double temperature_of(const Ensemble& ensemble);

/// All that is made of mean probabilities and their likeliest classes, in this order: the
/// temperature acts on the probabilities, and the labels become what the options ask for: at their
/// threshold, then corrected. Without a threshold the labels do not depend on the temperature.
void decide(Prediction& prediction, std::size_t class_count, double temperature,
            const PostOptions& options);

/// How far from sure each pixel is: 1 - (largest - second largest probability), 0..1.
std::vector<float> unsureness(const std::vector<float>& probabilities, std::size_t class_count);

/// The image mirrored left and right (`across`), up and down (`down`).
data::Image mirrored(const data::Image& image, bool across, bool down);

/// Softmax over the first dimension of `logits`, classes x pixels, in place.
void softmax_over_classes(std::vector<float>& logits, std::size_t class_count);

/// The class with the largest value per pixel of `probabilities`, classes x height x width.
data::LabelMap likeliest_class(const std::vector<float>& probabilities, std::size_t class_count,
                               data::ImageSize size);

}  // namespace medurwkv::predict
