// Training samples: geometric and photometric augmentation together with the resize to the
// network's input. Relies on data/image.h and core/random.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image.h"

namespace medurwkv::data {

enum class AugmentStrength { none, light, medium, strong };

/// Throws a usage Error that names the nearest.
AugmentStrength augment_strength_from(const std::string& name);

struct AugmentedSample {
  std::vector<float> input;  ///< channels x height x width of the contract, normalised
  LabelMap labels;           ///< of the contract's size
};

/// A pure function of (seed, epoch, index) and the image, so the same on any number of threads and
/// after a resume. Flips, quarter turns, rotation, scale, shift and shear are one warp (image
/// bilinear after an area shrink, labels nearest, borders mirrored); then brightness, contrast,
/// gamma, saturation and noise. `none` is exactly to_network_input and resize_nearest.
AugmentedSample make_training_sample(const Image& image, const LabelMap& labels,
                                     const InputContract& contract, AugmentStrength strength,
                                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t index);

}  // namespace medurwkv::data
