// Binary masks, their borders and exact Euclidean distances to them. Relies on the standard library
// alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace medurwkv::judge {

/// Length of a pixel's sides, in the unit that distances shall have (1, 1: pixels).
struct Spacing {
  double x = 1;
  double y = 1;
};

/// One byte per pixel, row-major: 1 inside, 0 outside.
struct Mask {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> inside;
};

/// Inside pixels with an outside 4-neighbour; beyond the image everything is outside.
Mask border(const Mask& mask);

/// Squared distance between pixel centres from every pixel to its nearest site (inside pixel), in
/// squared units of `spacing`; infinity everywhere when there is no site. Exact, in time linear in
/// the pixels: Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, Theory of
/// Computing 8 (2012), here with anisotropic spacing.
std::vector<double> squared_distances(const Mask& sites, Spacing spacing);

}  // namespace medurwkv::judge
