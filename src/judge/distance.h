// Binary masks of images and volumes, their borders and exact Euclidean distances between them.
// Relies on core/error.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace medurwkv::judge {

/// Length of a pixel's (voxel's) sides, in the unit that distances shall have (1, 1: pixels).
struct Spacing {
  double x = 1;
  double y = 1;
  double z = 1;  ///< between slices

  bool operator==(const Spacing&) const = default;
};

/// One byte per pixel: 1 inside, 0 outside; rows one after another, slice by slice.
struct Mask {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> inside;
  std::size_t depth = 1;
};

/// Which neighbours can be outside and make a pixel one of the border: left, right, above, below;
/// or those and the ones in the slices before and after.
enum class Neighbours { four, six };

/// Inside pixels with an outside neighbour; beyond the image (the volume) everything is outside.
Mask border(const Mask& mask, Neighbours neighbours = Neighbours::four);

/// For each inside pixel of `from`, in order: the squared distance between its centre and that of
/// the nearest inside pixel of `to` (of the same size), in squared units of `spacing`; infinity
/// when there is none. Exact. Time linear in the pixels: distances along columns, then lower
/// envelopes of parabolas along rows (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled
/// Functions, Theory of Computing 8, 2012), here only in rows with inside pixels of `from`, and
/// only where a search around the pixels takes longer. Memory: four bytes per pixel.
std::vector<double> squared_distances(const Mask& from, const Mask& to, Spacing spacing);

}  // namespace medurwkv::judge
