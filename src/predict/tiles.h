// Where tiles lie on an image, and how much each counts where several overlap. Relies on the
// standard library alone.
#pragma once

#include <cstdint>
#include <vector>

namespace medurwkv::predict {

/// Tiles along one axis of an image. A tile of an image lies at one start across and one down; its
/// weight at a pixel is the product of both axes' weights, so that the weights of all tiles at a
/// pixel sum to 1.
struct TileAxis {
  std::int64_t tile = 0;             ///< length of every tile in pixels, at most the image's
  std::vector<std::int64_t> starts;  ///< first pixels, rising, from the image's edge to its edge
  /// By tile and pixel of it. 1 where no other tile is; falls linearly to a tile's inner edges over
  /// the least overlap.
  std::vector<std::vector<float>> weights;
};

/// Pixels that neighbouring tiles of `tile` pixels share at least: a quarter.
std::int64_t least_overlap(std::int64_t tile);

/// As few tiles as cover `length` pixels with that overlap, evenly spread. Both are at least 1. One
/// tile of `length` pixels, of weight 1 everywhere, where `tile` is no less than that.
TileAxis tile_axis(std::int64_t length, std::int64_t tile);

}  // namespace medurwkv::predict
