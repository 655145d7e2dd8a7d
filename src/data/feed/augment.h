// Training samples: augmentation together with what the input contract does. Ranges, formulas and
// the order are in docs/augmentation.md. Relies on data/image/warp.h, data/image/photometric.h and
// core/random.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image/geometry.h"

namespace medurwkv::data {

/// How far each augmentation may go, and with which chance it is drawn at all. All 0: none.
struct AugmentSettings {
  double flip_x = 0;         ///< chance to mirror left and right
  double flip_y = 0;         ///< chance to mirror up and down
  double quarter_turns = 0;  ///< chance of a turn by 0, 90, 180 or 270 degrees, equally likely
  double rotation = 0;       ///< degrees, either way
  double scale = 0;          ///< 1 / (1 + scale) .. 1 + scale
  double shift = 0;          ///< share of each side, either way
  double shear = 0;          ///< x += shear y, either way
  double crop = 0;           ///< most that each side loses, as a share; the rest fills the input
  double crop_chance = 0;
  double elastic = 0;  ///< largest control displacement, in cells of a 4 x 4 grid
  double elastic_chance = 0;
  double hue = 0;         ///< degrees, either way
  double saturation = 0;  ///< factor 1 - saturation .. 1 + saturation
  double contrast = 0;    ///< factor 1 - contrast .. 1 + contrast
  double brightness = 0;  ///< added, either way
  double gamma = 0;       ///< exponent 1 / (1 + gamma) .. 1 + gamma
  double blur = 0;        ///< largest standard deviation in pixels
  double blur_chance = 0;
  double noise = 0;  ///< largest standard deviation
  double noise_chance = 0;
  double holes = 0;      ///< largest number of rectangles of coarse dropout
  double hole_side = 0;  ///< their longest side, as a share of the input's
  double holes_chance = 0;

  bool operator==(const AugmentSettings&) const = default;
};

/// A setting by name, with its largest value (the smallest is 0).
struct AugmentField {
  const char* name;
  double AugmentSettings::*value;
  double most;
};
std::span<const AugmentField> augment_fields();

/// The presets "none", "light", "medium" and "strong". Throws a usage Error that names the nearest.
AugmentSettings augment_preset(const std::string& name);

struct AugmentedSample {
  std::vector<float> input;  ///< channels x height x width of the contract, normalised
  LabelMap labels;           ///< of the contract's size
};

/// A pure function of (seed, epoch, index) and the image, so the same on any number of threads and
/// after a resume. Flips, quarter turns, rotation, scale, shift, shear, crop and elastic field are
/// one warp (image: bicubic, after averaging over whole blocks where it shrinks; labels: nearest),
/// borders mirrored where the image fills the input, else 0 and ignore_label outside; then hue,
/// saturation, contrast, brightness, gamma, blur, noise, holes. Without any of them it is exactly
/// to_network_input and to_network_labels. Where the contract's fit is native or tile the sample
/// is a window of width x height at whole pixels, drawn too; of those of tile a half is drawn to
/// show foreground and, where the image has any, does. Throws Error as image_planes does.
AugmentedSample make_training_sample(const Image& image, const LabelMap& labels,
                                     const InputContract& contract, const AugmentSettings& settings,
                                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t index);

}  // namespace medurwkv::data
