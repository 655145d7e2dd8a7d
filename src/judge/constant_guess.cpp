#include "judge/constant_guess.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/model_description.h"

namespace medurwkv::judge {

namespace {

// Cells from the centre to an edge. An ellipse around the centre is symmetric, so a mask's four
// quadrants can be added up; and it covers the first part of each row of cells, so a running sum
// per row gives its overlap without visiting cells.
constexpr std::size_t cells = 32;
constexpr std::size_t row_stride = cells + 1;
constexpr double smallest_axis = 0.02;
constexpr double largest_axis = 0.74;

std::size_t cell_of(std::int64_t pixel, std::int64_t pixels) {
  const double offset = (static_cast<double>(pixel) + 0.5) / static_cast<double>(pixels) - 0.5;
  const auto cell = static_cast<std::size_t>(std::abs(offset) * 2 * static_cast<double>(cells));
  return std::min(cell, cells - 1);
}

// Pixel counts (exact in a float) to running sums of the share of the image.
void accumulate_rows(std::vector<float>& sums, float share) {
  for (std::size_t row = 0; row < cells; ++row) {
    for (std::size_t i = 0; i < row_stride; ++i) sums[row * row_stride + i] *= share;
    for (std::size_t i = 1; i < row_stride; ++i) {
      sums[row * row_stride + i] += sums[row * row_stride + i - 1];
    }
  }
}

// How many cells (with a fraction) of each row the ellipse covers.
using Reach = std::array<double, cells>;
Reach reach_of(const Ellipse& ellipse) {
  Reach reach{};
  for (std::size_t row = 0; row < cells; ++row) {
    const double offset = (static_cast<double>(row) + 0.5) / (2 * static_cast<double>(cells));
    const double height = offset / ellipse.semi_axis_y;
    if (height >= 1) continue;
    const double half_width = ellipse.semi_axis_x * std::sqrt(1 - height * height);
    reach[row] = std::min(half_width * 2, 1.0) * static_cast<double>(cells);
  }
  return reach;
}

double covered(const std::vector<float>& sums, const Reach& reach) {
  double total = 0;
  for (std::size_t row = 0; row < cells; ++row) {
    const auto whole = std::min(static_cast<std::size_t>(reach[row]), cells - 1);
    const double part = reach[row] - static_cast<double>(whole);
    const float* sum = sums.data() + row * row_stride + whole;
    total += double{sum[0]} + part * (double{sum[1]} - double{sum[0]});
  }
  return total;
}

double area(const Reach& reach) {
  double total = 0;
  for (const double length : reach) total += length;
  return total / static_cast<double>(cells * cells);
}

}  // namespace

data::LabelMap rasterise(const Ellipse& ellipse, data::ImageSize size) {
  data::LabelMap out{size.width, size.height, {}};
  out.labels.reserve(static_cast<std::size_t>(size.width * size.height));
  const auto squared = [](std::int64_t pixel, std::int64_t pixels, double semi_axis) {
    const double offset = (static_cast<double>(pixel) + 0.5) / static_cast<double>(pixels) - 0.5;
    return (offset / semi_axis) * (offset / semi_axis);
  };
  for (std::int64_t y = 0; y < size.height; ++y) {
    const double vertical = squared(y, size.height, ellipse.semi_axis_y);
    for (std::int64_t x = 0; x < size.width; ++x) {
      const bool inside = vertical + squared(x, size.width, ellipse.semi_axis_x) <= 1;
      out.labels.push_back(inside ? 1 : 0);
    }
  }
  return out;
}

void EllipseFit::add(const data::LabelMap& truth, std::optional<std::uint8_t> label) {
  Folded folded;
  folded.foreground.assign(cells * row_stride, 0);
  folded.judged.assign(cells * row_stride, 0);
  const auto share = static_cast<float>(
      1.0 / (static_cast<double>(truth.width) * static_cast<double>(truth.height)));
  std::vector<std::size_t> column(static_cast<std::size_t>(truth.width));
  for (std::int64_t x = 0; x < truth.width; ++x) {
    column[static_cast<std::size_t>(x)] = cell_of(x, truth.width) + 1;
  }
  bool ignores = false;
  std::int64_t foreground = 0;
  for (std::int64_t y = 0; y < truth.height; ++y) {
    const std::size_t row = cell_of(y, truth.height) * row_stride;
    const std::uint8_t* labels = truth.labels.data() + y * truth.width;
    for (std::size_t x = 0; x < column.size(); ++x) {
      if (labels[x] == ignore_label) {
        ignores = true;
        continue;
      }
      folded.judged[row + column[x]] += 1;
      if (label ? labels[x] != *label : labels[x] == 0) continue;
      folded.foreground[row + column[x]] += 1;
      ++foreground;
    }
  }
  if (foreground == 0) return;
  folded.foreground_total = static_cast<double>(foreground) * double{share};
  accumulate_rows(folded.foreground, share);
  if (ignores) {
    accumulate_rows(folded.judged, share);
  } else {
    folded.judged = {};
  }
  masks_.push_back(std::move(folded));
}

double EllipseFit::mean_dice(const Ellipse& ellipse) const {
  const Reach reach = reach_of(ellipse);
  const double whole_area = area(reach);
  double sum = 0;
  for (const Folded& mask : masks_) {
    const double guessed = mask.judged.empty() ? whole_area : covered(mask.judged, reach);
    sum += 2 * covered(mask.foreground, reach) / (guessed + mask.foreground_total);
  }
  return sum / static_cast<double>(masks_.size());
}

Ellipse EllipseFit::fit() const {
  if (masks_.empty()) throw_internal("an ellipse fitted on no foreground");
  constexpr int steps = 24;
  double step = (largest_axis - smallest_axis) / steps;
  Ellipse best;
  double best_dice = -1;
  const auto consider = [&](double x, double y) {
    const Ellipse ellipse{std::clamp(x, smallest_axis, largest_axis),
                          std::clamp(y, smallest_axis, largest_axis)};
    if (const double dice = mean_dice(ellipse); dice > best_dice) {
      best_dice = dice;
      best = ellipse;
    }
  };
  for (int i = 0; i <= steps; ++i) {
    for (int k = 0; k <= steps; ++k) consider(smallest_axis + i * step, smallest_axis + k * step);
  }
  constexpr int refinements = 5;
  for (int round = 0; round < refinements; ++round) {
    step /= 2;
    const Ellipse centre = best;
    for (int i = -2; i <= 2; ++i) {
      for (int k = -2; k <= 2; ++k) {
        consider(centre.semi_axis_x + i * step, centre.semi_axis_y + k * step);
      }
    }
  }
  return best;
}

}  // namespace medurwkv::judge
