// One warp of images and labels: any composition of affine maps and an elastic field, sampled once.
// Relies on data/image/geometry.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/random.h"
#include "data/image/geometry.h"

namespace medurwkv::data {

/// (x, y) -> (xx x + xy y + x0, yx x + yy y + y0).
struct Affine {
  double xx = 1, xy = 0, yx = 0, yy = 1;
  double x0 = 0, y0 = 0;

  [[nodiscard]] Point operator()(Point at) const {
    return {xx * at.x + xy * at.y + x0, yx * at.x + yy * at.y + y0};
  }
  /// Applies `inner` first.
  [[nodiscard]] Affine after(const Affine& inner) const;
};

/// A smooth field of displacements over a picture: cubic B-splines over a grid of cells x cells,
/// whose (cells + 3)^2 control displacements are uniform in -amount .. amount cells along each
/// axis. Below 0.48 the map does not fold (Choi and Lee 2000, "Injectivity conditions of 2D and 3D
/// uniform cubic B-spline functions").
class ElasticField {
 public:
  ElasticField(ImageSize picture, std::int64_t cells, double amount, const Random& random);

  /// Displacements in pixels at the pixel centres of row `y`.
  void row(std::int64_t y, std::span<double> dx, std::span<double> dy) const;

 private:
  /// The cell that a row or column of pixels lies in, and what its four controls weigh there.
  struct Place {
    std::size_t cell = 0;
    std::array<double, 4> weights{};
  };
  static Place place_of(std::int64_t at, std::int64_t length, std::int64_t cells);

  ImageSize picture_;
  std::int64_t cells_;
  std::vector<Point> controls_;  ///< (cells + 3) x (cells + 3), row by row
  std::vector<Place> columns_;
};

/// Where each output pixel comes from: source = map(output + displacement), pixel centres at whole
/// numbers on both sides.
struct Warp {
  ImageSize to;
  Affine map;
  std::optional<ElasticField> elastic = {};

  /// Source positions of output row `y`.
  void row(std::int64_t y, std::span<double> xs, std::span<double> ys) const;
};

/// Whole factors by which an image is averaged before `map` samples it: the length of a step in the
/// output along each axis of the source, rounded, at least 1. Where the map shrinks, samples then
/// lie 0.75 to 1.5 averaged pixels apart.
struct BlockSize {
  std::int64_t across = 1;
  std::int64_t down = 1;
};
BlockSize block_size(const Affine& map);

/// Bicubic samples (Keys, a = -0.5) of `planes`, borders mirrored about the edge of the outermost
/// pixels. `blocks`: the block size over which the planes were averaged; `warp` is in pixels from
/// before the averaging.
std::vector<float> warp_planes(const Planes& planes, BlockSize blocks, const Warp& warp);

/// The label under each output pixel's centre (of two equally near ones the right or lower),
/// borders mirrored.
LabelMap warp_labels(const LabelMap& labels, const Warp& warp);

/// 1 per output pixel whose centre lies in the source, 0 where it lies outside.
std::vector<std::uint8_t> covered(const Warp& warp, ImageSize source);

}  // namespace medurwkv::data
