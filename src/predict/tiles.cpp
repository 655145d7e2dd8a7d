#include "predict/tiles.h"

#include <algorithm>
#include <cstddef>

namespace medurwkv::predict {
namespace {

/// A tile's weight before all are made to sum to 1, at its pixel `at`.
double ramp(std::int64_t at, std::int64_t tile, std::int64_t overlap, bool first, bool last) {
  double out = 1;
  const auto fall = [&](std::int64_t from_edge) {
    if (from_edge >= overlap) return;
    out = std::min(out, (static_cast<double>(from_edge) + 0.5) / static_cast<double>(overlap));
  };
  if (!first) fall(at);
  if (!last) fall(tile - 1 - at);
  return out;
}

}  // namespace

std::int64_t least_overlap(std::int64_t tile) {
  return tile / 4;
}

TileAxis tile_axis(std::int64_t length, std::int64_t tile) {
  tile = std::min(tile, length);
  const std::int64_t overlap = least_overlap(tile);
  const std::int64_t step = tile - overlap;
  const std::int64_t gaps = (length - tile + step - 1) / step;
  TileAxis out{.tile = tile, .starts = {0}, .weights = {}};
  for (std::int64_t i = 1; i <= gaps; ++i) out.starts.push_back(i * (length - tile) / gaps);

  std::vector<double> sums(static_cast<std::size_t>(length), 0);
  const auto each = [&](const auto& visit) {
    for (std::int64_t i = 0; i <= gaps; ++i) {
      for (std::int64_t k = 0; k < tile; ++k) {
        const std::int64_t start = out.starts[static_cast<std::size_t>(i)];
        visit(sums[static_cast<std::size_t>(start + k)], ramp(k, tile, overlap, i == 0, i == gaps));
      }
    }
  };
  each([](double& sum, double weight) { sum += weight; });
  std::vector<float> all;
  each([&](double sum, double weight) { all.push_back(static_cast<float>(weight / sum)); });
  for (auto at = all.begin(); at != all.end(); at += tile) out.weights.emplace_back(at, at + tile);
  return out;
}

}  // namespace medurwkv::predict
