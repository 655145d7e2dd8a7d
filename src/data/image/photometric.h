// What augmentation does to the values of planes in 0..1: colours, blur, noise, holes. Relies on
// data/image/geometry.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "data/image/geometry.h"

namespace medurwkv::data {

struct ColorChange {
  double hue = 0;         ///< degrees about the gray axis; red goes to green at 120
  double saturation = 1;  ///< factor on the difference from gray
  double contrast = 1;    ///< factor on the difference from 0.5
  double brightness = 0;  ///< added
  double gamma = 1;       ///< exponent
};

/// In this order: of three planes the hue and saturation, gray being the mean of the three,
/// v = gray + saturation rotate(v - gray); then v = clamp((v - 0.5) contrast + 0.5 + brightness)
/// to 0..1; then v^gamma (by a table, to 5e-4).
void change_colors(Planes& planes, const ColorChange& change);

/// Convolution with a Gaussian of standard deviation `sigma` pixels, cut at 3 sigma and normalised,
/// borders mirrored.
void blur(Planes& planes, double sigma);

/// Adds normal noise (4096 equally likely quantiles of the normal distribution), then clamps to
/// 0..1.
void add_noise(Planes& planes, double deviation, const Random& random);

struct Hole {
  std::int64_t left = 0, top = 0;
  std::int64_t width = 0, height = 0;
};

/// Coarse dropout (DeVries and Taylor 2017, "Cutout"): fills the holes with each plane's mean.
void cut_holes(Planes& planes, const std::vector<Hole>& holes);

}  // namespace medurwkv::data
