#include "data/image/warp.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace medurwkv::data {
namespace {

/// floor, which for doubles is a call on processors without SSE4.1.
std::int64_t floor_of(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) > value ? whole - 1 : whole;
}

/// Four floats that the compiler keeps in one register.
using Four [[gnu::vector_size(16)]] = float;

/// Weights of the four pixels around a point at `t` (0..1) behind the second: Keys' cubic
/// convolution with a = -1/2 (Keys 1981, eq. 4).
Four cubic_weights(float t) {
  constexpr Four cubes{-0.5F, 1.5F, -1.5F, 0.5F};
  constexpr Four squares{1, -2.5F, 2, -0.5F};
  constexpr Four first{-0.5F, 0, 0.5F, 0};
  constexpr Four constant{0, 1, 0, 0};
  return ((cubes * t + squares) * t + first) * t + constant;
}

/// Weights of the four uniform cubic B-splines that are not 0 at `t` (0..1) of a cell.
std::array<double, 4> spline_weights(double t) {
  const double s = 1 - t;
  return {s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * s * s * s - 6 * s * s + 4) / 6,
          t * t * t / 6};
}

/// The 4 x 4 pixels of one plane around a point, weighted.
float bicubic(const float* plane, std::int64_t stride, Four across, Four down) {
  const auto row = [&](std::int64_t y) {
    Four out;
    std::memcpy(&out, plane + y * stride, sizeof(out));
    return out;
  };
  const Four sums =
      ((down[0] * row(0) + down[1] * row(1)) + (down[2] * row(2) + down[3] * row(3))) * across;
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// The 4 x 4 pixels from (left - 1, upper - 1) of one plane, mirrored where they lie outside.
std::array<float, 16> mirrored_patch(const float* plane, ImageSize size, std::int64_t left,
                                     std::int64_t upper) {
  std::array<float, 16> out{};
  for (std::int64_t i = 0; i < 16; ++i) {
    out[static_cast<std::size_t>(i)] = plane[mirrored(upper - 1 + i / 4, size.height) * size.width +
                                             mirrored(left - 1 + i % 4, size.width)];
  }
  return out;
}

/// One row of the output of each plane, `area` apart.
void sample_row(const Planes& planes, std::span<const double> xs, std::span<const double> ys,
                float* out, std::size_t area) {
  const auto [width, height] = planes.size;
  const std::int64_t source_area = width * height;
  for (std::size_t x = 0; x < xs.size(); ++x) {
    const std::int64_t left = floor_of(xs[x]);
    const std::int64_t upper = floor_of(ys[x]);
    const Four across = cubic_weights(static_cast<float>(xs[x] - static_cast<double>(left)));
    const Four down = cubic_weights(static_cast<float>(ys[x] - static_cast<double>(upper)));
    const bool inside = left >= 1 && left + 2 < width && upper >= 1 && upper + 2 < height;
    const float* plane = planes.values.data();
    for (std::int64_t c = 0; c < planes.channels; ++c, plane += source_area) {
      out[static_cast<std::size_t>(c) * area + x] =
          inside ? bicubic(plane + (upper - 1) * width + left - 1, width, across, down)
                 : bicubic(mirrored_patch(plane, planes.size, left, upper).data(), 4, across, down);
    }
  }
}

/// Calls visit(x, y) with the source pixel nearest to each output pixel, row by row.
template <class Visit>
void for_each_nearest(const Warp& warp, const Visit& visit) {
  std::vector<double> xs(static_cast<std::size_t>(warp.to.width));
  std::vector<double> ys(xs.size());
  for (std::int64_t y = 0; y < warp.to.height; ++y) {
    warp.row(y, xs, ys);
    for (std::size_t x = 0; x < xs.size(); ++x) visit(floor_of(xs[x] + 0.5), floor_of(ys[x] + 0.5));
  }
}

}  // namespace

Affine Affine::after(const Affine& inner) const {
  const Point origin = (*this)({inner.x0, inner.y0});
  return {.xx = xx * inner.xx + xy * inner.yx,
          .xy = xx * inner.xy + xy * inner.yy,
          .yx = yx * inner.xx + yy * inner.yx,
          .yy = yx * inner.xy + yy * inner.yy,
          .x0 = origin.x,
          .y0 = origin.y};
}

ElasticField::Place ElasticField::place_of(std::int64_t at, std::int64_t length,
                                           std::int64_t cells) {
  const double place =
      (static_cast<double>(at) + 0.5) / static_cast<double>(length) * static_cast<double>(cells);
  const std::int64_t cell = std::min(static_cast<std::int64_t>(place), cells - 1);
  return {static_cast<std::size_t>(cell), spline_weights(place - static_cast<double>(cell))};
}

ElasticField::ElasticField(ImageSize picture, std::int64_t cells, double amount,
                           const Random& random)
    : picture_(picture), cells_(cells) {
  const std::int64_t controls = (cells + 3) * (cells + 3);
  const double width = amount * static_cast<double>(picture.width) / static_cast<double>(cells);
  const double height = amount * static_cast<double>(picture.height) / static_cast<double>(cells);
  for (std::int64_t i = 0; i < controls; ++i) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    controls_.push_back(
        {random.uniform(at, -width, width), random.uniform(at + 1, -height, height)});
  }
  for (std::int64_t x = 0; x < picture.width; ++x) {
    columns_.push_back(place_of(x, picture.width, cells));
  }
}

void ElasticField::row(std::int64_t y, std::span<double> dx, std::span<double> dy) const {
  const Place place = place_of(y, picture_.height, cells_);
  const auto side = static_cast<std::size_t>(cells_ + 3);
  std::vector<Point> controls(side);
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t i = 0; i < side; ++i) {
      const Point& one = controls_[(place.cell + j) * side + i];
      controls[i].x += place.weights[j] * one.x;
      controls[i].y += place.weights[j] * one.y;
    }
  }
  for (std::size_t x = 0; x < columns_.size(); ++x) {
    const auto& [cell, weights] = columns_[x];
    dx[x] = dy[x] = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      dx[x] += weights[i] * controls[cell + i].x;
      dy[x] += weights[i] * controls[cell + i].y;
    }
  }
}

void Warp::row(std::int64_t y, std::span<double> xs, std::span<double> ys) const {
  if (elastic) {
    elastic->row(y, xs, ys);
  } else {
    std::fill(xs.begin(), xs.end(), 0.0);
    std::fill(ys.begin(), ys.end(), 0.0);
  }
  for (std::size_t x = 0; x < xs.size(); ++x) {
    const Point from = map({static_cast<double>(x) + xs[x], static_cast<double>(y) + ys[x]});
    xs[x] = from.x;
    ys[x] = from.y;
  }
}

BlockSize block_size(const Affine& map) {
  const auto rounded = [](double length) {
    return std::max<std::int64_t>(1, floor_of(length + 0.5));
  };
  return {rounded(std::hypot(map.xx, map.xy)), rounded(std::hypot(map.yx, map.yy))};
}

std::vector<float> warp_planes(const Planes& planes, BlockSize blocks, const Warp& warp) {
  const auto across = static_cast<double>(blocks.across);
  const auto down = static_cast<double>(blocks.down);
  Warp over_blocks = warp;
  over_blocks.map =
      Affine{.xx = 1 / across, .yy = 1 / down, .x0 = 0.5 / across - 0.5, .y0 = 0.5 / down - 0.5}
          .after(warp.map);
  const auto columns = static_cast<std::size_t>(warp.to.width);
  const std::size_t area = columns * static_cast<std::size_t>(warp.to.height);
  std::vector<float> out(static_cast<std::size_t>(planes.channels) * area);
  std::vector<double> xs(columns);
  std::vector<double> ys(columns);
  for (std::int64_t y = 0; y < warp.to.height; ++y) {
    over_blocks.row(y, xs, ys);
    sample_row(planes, xs, ys, &out[static_cast<std::size_t>(y) * columns], area);
  }
  return out;
}

LabelMap warp_labels(const LabelMap& labels, const Warp& warp) {
  LabelMap out{warp.to.width, warp.to.height, {}};
  out.labels.reserve(static_cast<std::size_t>(warp.to.width * warp.to.height));
  for_each_nearest(warp, [&](std::int64_t x, std::int64_t y) {
    const std::int64_t at = mirrored(y, labels.height) * labels.width + mirrored(x, labels.width);
    out.labels.push_back(labels.labels[static_cast<std::size_t>(at)]);
  });
  return out;
}

std::vector<std::uint8_t> covered(const Warp& warp, ImageSize source) {
  std::vector<std::uint8_t> out;
  out.reserve(static_cast<std::size_t>(warp.to.width * warp.to.height));
  for_each_nearest(warp, [&](std::int64_t x, std::int64_t y) {
    out.push_back(x >= 0 && x < source.width && y >= 0 && y < source.height ? 1 : 0);
  });
  return out;
}

}  // namespace medurwkv::data
