#include "judge/distance.h"

#include <limits>

namespace medurwkv::judge {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Squared distance to the nearest site of the same column, infinity where the column has none.
std::vector<double> along_columns(const Mask& sites, double step) {
  const std::size_t width = sites.width;
  std::vector<double> distance(sites.inside.size(), infinity);
  for (std::size_t i = 0; i < distance.size(); ++i) {
    if (sites.inside[i] != 0) {
      distance[i] = 0;
    } else if (i >= width) {
      distance[i] = distance[i - width] + 1;
    }
  }
  for (std::size_t i = distance.size(); i-- > width;) {
    const double from_below = distance[i] + 1;
    if (from_below < distance[i - width]) distance[i - width] = from_below;
  }
  for (double& value : distance) value = (value * step) * (value * step);
  return distance;
}

// The lower envelope of one row's parabolas; its arrays are kept from row to row.
class Envelope {
 public:
  explicit Envelope(std::size_t width) : apex_(width), starts_(width), heights_(width) {}

  // Replaces the row's column distances f by min over q of f[q] + (step (x - q))^2.
  void apply(double* row, std::size_t width, double step) {
    std::size_t count = 0;
    for (std::size_t q = 0; q < width; ++q) {
      // Columns without a site have no parabola; leaving them out also keeps infinities out of the
      // intersections.
      if (row[q] == infinity) continue;
      double start = -infinity;
      while (count > 0) {
        start = intersection(apex_[count - 1], heights_[count - 1], q, row[q], step);
        if (start > starts_[count - 1]) break;
        --count;
        start = -infinity;
      }
      apex_[count] = q;
      heights_[count] = row[q];
      starts_[count] = start;
      ++count;
    }
    if (count == 0) return;
    std::size_t k = 0;
    for (std::size_t x = 0; x < width; ++x) {
      while (k + 1 < count && starts_[k + 1] < static_cast<double>(x)) ++k;
      const double offset = (static_cast<double>(x) - static_cast<double>(apex_[k])) * step;
      row[x] = heights_[k] + offset * offset;
    }
  }

 private:
  // Where the parabola over q begins to lie below the one over p < q, in pixels.
  static double intersection(std::size_t p, double height_p, std::size_t q, double height_q,
                             double step) {
    const auto left = static_cast<double>(p);
    const auto right = static_cast<double>(q);
    return (height_q - height_p) / (2 * step * step * (right - left)) + (right + left) / 2;
  }

  std::vector<std::size_t> apex_;
  std::vector<double> starts_;
  std::vector<double> heights_;
};

}  // namespace

Mask border(const Mask& mask) {
  Mask out{mask.width, mask.height, std::vector<std::uint8_t>(mask.inside.size(), 0)};
  for (std::size_t y = 0; y < mask.height; ++y) {
    for (std::size_t x = 0; x < mask.width; ++x) {
      const std::size_t i = y * mask.width + x;
      if (mask.inside[i] == 0) continue;
      const bool at_edge = x == 0 || y == 0 || x + 1 == mask.width || y + 1 == mask.height;
      out.inside[i] = at_edge || mask.inside[i - 1] == 0 || mask.inside[i + 1] == 0 ||
                              mask.inside[i - mask.width] == 0 || mask.inside[i + mask.width] == 0
                          ? 1
                          : 0;
    }
  }
  return out;
}

std::vector<double> squared_distances(const Mask& sites, Spacing spacing) {
  std::vector<double> distance = along_columns(sites, spacing.y);
  Envelope envelope(sites.width);
  for (std::size_t y = 0; y < sites.height; ++y) {
    envelope.apply(distance.data() + y * sites.width, sites.width, spacing.x);
  }
  return distance;
}

}  // namespace medurwkv::judge
