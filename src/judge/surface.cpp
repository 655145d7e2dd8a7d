#include "judge/surface.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace medurwkv::judge {

namespace {

void take_roots(std::vector<double>& squared) {
  for (double& value : squared) value = std::sqrt(value);
}

/// Up to rounding: three pixels of 0.1 lie within 0.3.
std::int64_t count_within(const std::vector<double>& distances, double tolerance) {
  const double most = tolerance * (1 + 1e-9);
  return std::count_if(distances.begin(), distances.end(),
                       [&](double distance) { return distance <= most; });
}

// Erodes a mask by a square, row by row: give it the rows in order (and `reach` empty ones after
// the last); it answers for the row `reach` above.
class SquareErosion {
 public:
  SquareErosion(std::size_t width, std::int64_t reach)
      : span_(static_cast<std::uint32_t>(2 * reach + 1)),
        reach_(static_cast<std::size_t>(reach)),
        whole_rows_(width, 0) {}

  void add(const std::uint8_t* row) {
    const std::size_t width = whole_rows_.size();
    // In column x: whether the pixels x - reach .. x + reach of this row are all inside.
    std::uint32_t run = 0;
    for (std::size_t x = 0; x < width + reach_; ++x) {
      run = row != nullptr && x < width && row[x] != 0 ? run + 1 : 0;
      if (x < reach_) continue;
      std::uint32_t& rows = whole_rows_[x - reach_];
      rows = run >= span_ ? rows + 1 : 0;
    }
  }
  [[nodiscard]] bool is_left(std::size_t x) const { return whole_rows_[x] >= span_; }

 private:
  std::uint32_t span_;
  std::size_t reach_;
  std::vector<std::uint32_t> whole_rows_;  // per column, up to the last row
};

// Which of the four pixels around a corner are inside; bits: upper left 8, upper right 4, lower
// left 2, lower right 1.
using Codes = std::vector<std::uint8_t>;

Codes corner_codes(const Mask& mask) {
  const std::size_t width = mask.width + 1;
  Codes codes(width * (mask.height + 1), 0);
  for (std::size_t y = 0; y < mask.height; ++y) {
    for (std::size_t x = 0; x < mask.width; ++x) {
      if (mask.inside[y * mask.width + x] == 0) continue;
      std::uint8_t* corner = codes.data() + y * width + x;
      corner[0] |= 1;
      corner[1] |= 2;
      corner[width] |= 4;
      corner[width + 1] |= 8;
    }
  }
  return codes;
}

// The contour's length in the cell around a corner: along a side where two pixels beside or above
// each other are inside, half a diagonal around a single pixel, two halves between two opposite
// ones.
std::array<double, 16> lengths_by_code(Spacing spacing) {
  const double half_diagonal = 0.5 * std::sqrt(spacing.y * spacing.y + spacing.x * spacing.x);
  std::array<double, 16> out{};
  for (const std::size_t single : {1U, 2U, 4U, 8U}) {
    out.at(single) = half_diagonal;
    out.at(15 - single) = half_diagonal;
  }
  out[0b0011] = out[0b1100] = spacing.x;
  out[0b0101] = out[0b1010] = spacing.y;
  out[0b0110] = out[0b1001] = 2 * half_diagonal;
  return out;
}

Mask corners_on_contour(const Mask& mask, const Codes& codes) {
  Mask out{mask.width + 1, mask.height + 1, std::vector<std::uint8_t>(codes.size())};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    out.inside[i] = codes[i] != 0 && codes[i] != 15 ? 1 : 0;
  }
  return out;
}

std::vector<ContourElement> elements(const Mask& from, const Codes& codes, const Mask& to,
                                     Spacing spacing) {
  const std::array<double, 16> lengths = lengths_by_code(spacing);
  const std::vector<double> squared = squared_distances(from, to, spacing);
  std::vector<ContourElement> out;
  out.reserve(squared.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (from.inside[i] == 0) continue;
    out.push_back({std::sqrt(squared[out.size()]), lengths.at(codes[i])});
  }
  std::sort(out.begin(), out.end(), [](const ContourElement& a, const ContourElement& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.length < b.length;
  });
  return out;
}

double total_length(const std::vector<ContourElement>& contour) {
  return std::accumulate(
      contour.begin(), contour.end(), 0.0,
      [](double sum, const ContourElement& element) { return sum + element.length; });
}

double distance_at(const std::vector<ContourElement>& contour, double fraction) {
  const double total = total_length(contour);
  double sum = 0;
  for (const ContourElement& element : contour) {
    sum += element.length;
    if (sum / total >= fraction) return element.distance;
  }
  return contour.back().distance;
}

double length_within(const std::vector<ContourElement>& contour, double tolerance) {
  double sum = 0;
  for (const ContourElement& element : contour) {
    if (element.distance <= tolerance) sum += element.length;
  }
  return sum;
}

}  // namespace

SurfaceDistances surface_distances(Mask truth, Mask prediction, Spacing spacing,
                                   Neighbours neighbours) {
  truth = border(truth, neighbours);
  prediction = border(prediction, neighbours);
  SurfaceDistances out;
  out.from_truth = squared_distances(truth, prediction, spacing);
  out.from_prediction = squared_distances(prediction, truth, spacing);
  take_roots(out.from_truth);
  take_roots(out.from_prediction);
  return out;
}

double within_tolerance(const SurfaceDistances& distances, double tolerance) {
  const std::int64_t within = count_within(distances.from_truth, tolerance) +
                              count_within(distances.from_prediction, tolerance);
  return static_cast<double>(within) /
         static_cast<double>(distances.from_truth.size() + distances.from_prediction.size());
}

double mean_distance(const SurfaceDistances& distances) {
  const auto& [truth, prediction] = distances;
  const double sum = std::accumulate(truth.begin(), truth.end(), 0.0) +
                     std::accumulate(prediction.begin(), prediction.end(), 0.0);
  return sum / static_cast<double>(truth.size() + prediction.size());
}

std::optional<double> boundary_iou(const Mask& truth, const Mask& prediction, std::int64_t reach) {
  SquareErosion truth_core(truth.width, reach);
  SquareErosion prediction_core(truth.width, reach);
  const auto down = static_cast<std::size_t>(reach);
  std::int64_t both = 0;
  std::int64_t any = 0;
  for (std::size_t y = 0; y < truth.height + down; ++y) {
    const bool inside = y < truth.height;
    truth_core.add(inside ? truth.inside.data() + y * truth.width : nullptr);
    prediction_core.add(inside ? prediction.inside.data() + y * truth.width : nullptr);
    if (y < down) continue;
    const std::uint8_t* truth_row = truth.inside.data() + (y - down) * truth.width;
    const std::uint8_t* prediction_row = prediction.inside.data() + (y - down) * truth.width;
    for (std::size_t x = 0; x < truth.width; ++x) {
      const bool in_truth = truth_row[x] != 0 && !truth_core.is_left(x);
      const bool in_prediction = prediction_row[x] != 0 && !prediction_core.is_left(x);
      both += in_truth && in_prediction ? 1 : 0;
      any += in_truth || in_prediction ? 1 : 0;
    }
  }
  if (any == 0) return std::nullopt;
  return static_cast<double>(both) / static_cast<double>(any);
}

std::int64_t boundary_reach(std::int64_t width, std::int64_t height) {
  const double diagonal = std::sqrt(static_cast<double>(width * width + height * height));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::nearbyint(0.02 * diagonal)));
}

Contours contours(const Mask& truth, const Mask& prediction, Spacing spacing) {
  const Codes truth_codes = corner_codes(truth);
  const Codes prediction_codes = corner_codes(prediction);
  const Mask truth_corners = corners_on_contour(truth, truth_codes);
  const Mask prediction_corners = corners_on_contour(prediction, prediction_codes);
  return {elements(truth_corners, truth_codes, prediction_corners, spacing),
          elements(prediction_corners, prediction_codes, truth_corners, spacing)};
}

double robust_hausdorff(const Contours& contours, double fraction) {
  return std::max(distance_at(contours.truth, fraction),
                  distance_at(contours.prediction, fraction));
}

double within_tolerance(const Contours& contours, double tolerance) {
  return (length_within(contours.truth, tolerance) +
          length_within(contours.prediction, tolerance)) /
         (total_length(contours.truth) + total_length(contours.prediction));
}

double mean_distance(const std::vector<ContourElement>& contour) {
  double sum = 0;
  for (const ContourElement& element : contour) sum += element.distance * element.length;
  return sum / total_length(contour);
}

}  // namespace medurwkv::judge
