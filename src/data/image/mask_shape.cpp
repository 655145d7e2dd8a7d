#include "data/image/mask_shape.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::data {
namespace {

/// Neighbouring pixels of one row that are all foreground or all background.
struct Run {
  std::int64_t begin = 0, end = 0;  ///< columns
  bool foreground = false;
};

bool is_foreground(std::uint8_t label) {
  return label != 0 && label != ignore_label;
}

/// The runs of a mask, joined to connected regions.
class Regions {
 public:
  explicit Regions(const LabelMap& labels)
      : labels_(labels), width_(labels.width), height_(labels.height) {
    std::size_t previous = 0;
    for (std::int64_t y = 0; y < height_; ++y) {
      const std::size_t first = runs_.size();
      add_row(&labels.labels[static_cast<std::size_t>(y * width_)]);
      for (std::size_t i = first; i < runs_.size(); ++i) {
        leader_.push_back(i);
        area_.push_back(runs_[i].end - runs_[i].begin);
        const bool edge =
            y == 0 || y == height_ - 1 || runs_[i].begin == 0 || runs_[i].end == width_;
        at_edge_.push_back(edge ? 1 : 0);
        row_.push_back(y);
      }
      if (y > 0) join_rows(previous, first);
      previous = first;
    }
  }

  void describe(MaskShape& shape) {
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (leader(i) != i) continue;
      if (!runs_[i].foreground) {
        if (at_edge_[i] == 0) shape.enclosed += area_[i];
        continue;
      }
      ++shape.regions;
      shape.largest_region = std::max(shape.largest_region, area_[i]);
      if (area_[i] <= speck_pixels && is_alone(i)) ++shape.specks;
    }
  }

 private:
  void add_row(const std::uint8_t* row) {
    const auto foreground = [&](std::int64_t x) { return is_foreground(row[x]); };
    std::int64_t begin = 0;
    for (std::int64_t x = 1; x <= width_; ++x) {
      if (x < width_ && foreground(x) == foreground(begin)) continue;
      runs_.push_back({begin, x, foreground(begin)});
      begin = x;
    }
  }

  /// Joins the runs from `above` up to `below` with those from `below` on that touch them.
  void join_rows(std::size_t above, std::size_t below) {
    std::size_t a = above;
    for (std::size_t b = below; b < runs_.size(); ++b) {
      while (a < below && runs_[a].end < runs_[b].begin) ++a;
      for (std::size_t i = a; i < below && runs_[i].begin <= runs_[b].end; ++i) {
        if (runs_[i].foreground != runs_[b].foreground) continue;
        const bool overlap = runs_[i].begin < runs_[b].end && runs_[b].begin < runs_[i].end;
        if (overlap || runs_[b].foreground) join(i, b);
      }
    }
  }

  void join(std::size_t i, std::size_t j) {
    i = leader(i);
    j = leader(j);
    if (i == j) return;
    if (j < i) std::swap(i, j);
    leader_[j] = i;
    area_[i] += area_[j];
    at_edge_[i] |= at_edge_[j];
  }

  std::size_t leader(std::size_t i) {
    while (leader_[i] != i) i = leader_[i] = leader_[leader_[i]];
    return i;
  }

  /// Whether no other foreground lies around the small region that begins with `run`.
  [[nodiscard]] bool is_alone(std::size_t run) const {
    constexpr std::int64_t reach = speck_distance + speck_pixels - 1;
    std::int64_t around = 0;
    for (std::int64_t y = std::max<std::int64_t>(0, row_[run] - reach);
         y <= std::min(height_ - 1, row_[run] + reach); ++y) {
      for (std::int64_t x = std::max<std::int64_t>(0, runs_[run].begin - reach);
           x <= std::min(width_ - 1, runs_[run].begin + reach); ++x) {
        around += is_foreground(labels_.labels[static_cast<std::size_t>(y * width_ + x)]) ? 1 : 0;
      }
    }
    return around == area_[run];
  }

  const LabelMap& labels_;
  std::int64_t width_, height_;
  std::vector<Run> runs_;
  std::vector<std::size_t> leader_;
  std::vector<std::int64_t> area_;
  std::vector<unsigned char> at_edge_;
  std::vector<std::int64_t> row_;
};

}  // namespace

MaskShape shape_of(const LabelMap& labels) {
  MaskShape out;
  for (std::int64_t y = 0; y < labels.height; ++y) {
    for (std::int64_t x = 0; x < labels.width; ++x) {
      const std::uint8_t label = labels.labels[static_cast<std::size_t>(y * labels.width + x)];
      if (label == ignore_label) continue;
      const bool foreground = label != 0;
      ++out.pixels;
      out.foreground += foreground ? 1 : 0;
      if (x > 0 && y > 0 && x < labels.width - 1 && y < labels.height - 1) continue;
      ++out.border;
      out.border_foreground += foreground ? 1 : 0;
    }
  }
  if (out.foreground > 0) Regions(labels).describe(out);
  return out;
}

bool is_full(const MaskShape& shape) {
  return shape.pixels > 0 && shape.foreground == shape.pixels;
}

bool is_inverted(const MaskShape& shape) {
  if (is_full(shape)) return false;
  return 100 * shape.border_foreground >= 98 * shape.border && 2 * shape.foreground > shape.pixels;
}

bool is_outline(const MaskShape& shape) {
  return shape.foreground > 0 && shape.enclosed >= 3 * shape.foreground;
}

bool has_specks(const MaskShape& shape) {
  return shape.specks > 0 && shape.specks <= 5 && shape.largest_region >= 100;
}

}  // namespace medurwkv::data
