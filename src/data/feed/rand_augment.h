// RandAugment (Cubuk et al. 2020, arXiv:1909.13719) with the fourteen operations of torchvision's,
// each by a formula (docs/augmentation.md): maps of the picture, and changes of planes in 0..1.
// Relies on data/image/warp.h and core/random.h.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "data/image/geometry.h"
#include "data/image/warp.h"

namespace medurwkv::data {

/// Never reordered: seeds would mean other pictures.
enum class RandOperation : std::uint8_t {
  identity,
  shear_x,
  shear_y,
  translate_x,
  translate_y,
  rotate,
  brightness,
  color,
  contrast,
  sharpness,
  posterize,
  solarize,
  autocontrast,
  equalize,
};
inline constexpr std::uint64_t rand_operations = 14;

/// One operation on values and its strength: the factor of brightness, color, contrast and
/// sharpness; the bits that posterize keeps; the threshold of solarize.
struct RandChange {
  RandOperation operation = RandOperation::identity;
  double amount = 0;

  bool operator==(const RandChange&) const = default;
};

/// What was drawn, sorted by kind; the two kinds do not touch each other.
struct RandAugment {
  Affine map;  ///< from the view to the picture before, unit coordinates about the middle
  std::vector<RandChange> changes;
};

/// `count` operations, equally likely, of strength `magnitude` of 10; what has two directions takes
/// either.
RandAugment draw_rand_augment(const Random& random, std::uint64_t count, double magnitude);

/// Changes planes in 0..1, which they keep to. color acts on three planes alone; an operation on
/// values moves no pixel.
void change_values(Planes& planes, const RandChange& change);

}  // namespace medurwkv::data
