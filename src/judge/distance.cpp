#include "judge/distance.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace medurwkv::judge {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
// Above every height that Length is used for.
template <typename Length>
constexpr Length no_site = std::numeric_limits<Length>::max() / 2 + 1;

// Pixels to the nearest site of the same column and slice; no_site or more where there is none.
template <typename Length>
std::vector<Length> along_columns(const Mask& sites) {
  const std::size_t width = sites.width;
  std::vector<Length> distance(sites.inside.size());
  for (std::size_t z = 0; z < sites.depth; ++z) {
    const std::uint8_t* inside = sites.inside.data() + z * width * sites.height;
    Length* slice = distance.data() + z * width * sites.height;
    for (std::size_t x = 0; x < width; ++x) slice[x] = inside[x] != 0 ? 0 : no_site<Length>;
    for (std::size_t i = width; i < width * sites.height; ++i) {
      slice[i] = inside[i] != 0 ? Length{0} : static_cast<Length>(slice[i - width] + 1);
    }
    for (std::size_t y = sites.height; y-- > 1;) {
      const Length* below = slice + y * width;
      Length* row = slice + (y - 1) * width;
      for (std::size_t x = 0; x < width; ++x) {
        row[x] = std::min(row[x], static_cast<Length>(below[x] + 1));
      }
    }
  }
  return distance;
}

// The lower envelope of a row's parabolas; its arrays are kept from row to row.
class Envelope {
 public:
  // Parabolas with the heights `row`, `step` apart; infinite ones are left out, which also keeps
  // infinities out of the intersections.
  void build(const std::vector<double>& row, double step) {
    step_ = step;
    at_ = 0;
    parabolas_.clear();
    for (std::size_t q = 0; q < row.size(); ++q) {
      if (row[q] == infinity) continue;
      double start = -infinity;
      while (!parabolas_.empty()) {
        start = intersection(parabolas_.back(), q, row[q]);
        if (start > parabolas_.back().start) break;
        parabolas_.pop_back();
        start = -infinity;
      }
      parabolas_.push_back({q, row[q], start});
    }
  }

  // The smallest of height + (step (x - q))^2 over all q; x must not fall from call to call.
  double value(std::size_t x) {
    if (parabolas_.empty()) return infinity;
    while (at_ + 1 < parabolas_.size() && parabolas_[at_ + 1].start < static_cast<double>(x)) ++at_;
    const double offset =
        (static_cast<double>(x) - static_cast<double>(parabolas_[at_].apex)) * step_;
    return parabolas_[at_].height + offset * offset;
  }

 private:
  struct Parabola {
    std::size_t apex;
    double height;
    double start;  // from where on it is the lowest, in pixels
  };

  // Where the parabola over q begins to lie below `left`, whose apex is before it.
  [[nodiscard]] double intersection(const Parabola& left, std::size_t q, double height) const {
    const auto p = static_cast<double>(left.apex);
    const auto right = static_cast<double>(q);
    return (height - left.height) / (2 * step_ * step_ * (right - p)) + (right + p) / 2;
  }

  double step_ = 1;
  std::size_t at_ = 0;
  std::vector<Parabola> parabolas_;
};

// Answers queries for pixels of one row, from left to right. Most borders lie near each other, so a
// search to both sides ends after a few steps; when a row's searches have taken longer than its
// envelope would, the envelope answers the rest.
class RowSearch {
 public:
  void start(const std::vector<double>& heights, double step) {
    heights_ = &heights;
    step_ = step;
    steps_left_ = 2 * heights.size();
    has_envelope_ = false;
  }

  double value(std::size_t x) {
    if (!has_envelope_) {
      double best = (*heights_)[x];
      if (search(x, best)) return best;
      envelope_.build(*heights_, step_);
      has_envelope_ = true;
    }
    return envelope_.value(x);
  }

 private:
  // False when the steps ran out.
  bool search(std::size_t x, double& best) {
    const std::vector<double>& heights = *heights_;
    const std::size_t reach = std::max(x, heights.size() - 1 - x);
    for (std::size_t k = 1; k <= reach; ++k) {
      const double offset = static_cast<double>(k) * step_;
      const double squared = offset * offset;
      if (squared >= best) return true;
      if (steps_left_-- == 0) return false;
      if (k <= x) best = std::min(best, heights[x - k] + squared);
      if (x + k < heights.size()) best = std::min(best, heights[x + k] + squared);
    }
    return true;
  }

  const std::vector<double>* heights_ = nullptr;
  double step_ = 1;
  std::size_t steps_left_ = 0;
  bool has_envelope_ = false;
  Envelope envelope_;
};

// All columns and slices at one height: the squared distance to the nearest site of the same column
// and slice, at any height; then, in a volume, of the same column in any slice.
template <typename Length>
class CrossSection {
 public:
  CrossSection(const Mask& sites, Spacing spacing)
      : columns_(along_columns<Length>(sites)),
        spacing_(spacing),
        width_(sites.width),
        height_(sites.height),
        rows_(sites.depth, std::vector<double>(sites.width)),
        across_(sites.depth) {}

  void load(std::size_t y) {
    for (std::size_t z = 0; z < rows_.size(); ++z) {
      const Length* from = columns_.data() + (z * height_ + y) * width_;
      for (std::size_t x = 0; x < width_; ++x) {
        const double length = static_cast<double>(from[x]) * spacing_.y;
        rows_[z][x] = from[x] >= no_site<Length> ? infinity : length * length;
      }
    }
    if (rows_.size() == 1) return;
    for (std::size_t x = 0; x < width_; ++x) {
      for (std::size_t z = 0; z < rows_.size(); ++z) across_[z] = rows_[z][x];
      envelope_.build(across_, spacing_.z);
      for (std::size_t z = 0; z < rows_.size(); ++z) rows_[z][x] = envelope_.value(z);
    }
  }
  [[nodiscard]] const std::vector<double>& row(std::size_t z) const { return rows_[z]; }

 private:
  std::vector<Length> columns_;
  Spacing spacing_;
  std::size_t width_;
  std::size_t height_;
  std::vector<std::vector<double>> rows_;
  std::vector<double> across_;
  Envelope envelope_;
};

bool has_inside(const std::uint8_t* row, std::size_t width) {
  return std::find(row, row + width, 1) != row + width;
}

// For each site of `from`, in their order, the squared distance to the nearest one of `to`.
template <typename Length>
void answer(const Mask& from, const Mask& to, Spacing spacing, std::vector<double>& out) {
  // In a volume rows are visited height by height, but answered slice by slice.
  std::vector<std::size_t> place(from.depth * from.height);
  std::size_t count = 0;
  for (std::size_t r = 0; r < place.size(); ++r) {
    place[r] = count;
    const std::uint8_t* row = from.inside.data() + r * from.width;
    count += static_cast<std::size_t>(std::count(row, row + from.width, 1));
  }
  CrossSection<Length> section(to, spacing);
  RowSearch search;
  for (std::size_t y = 0; y < from.height; ++y) {
    bool loaded = false;
    for (std::size_t z = 0; z < from.depth; ++z) {
      const std::size_t r = z * from.height + y;
      const std::uint8_t* row = from.inside.data() + r * from.width;
      if (!has_inside(row, from.width)) continue;
      if (!loaded) section.load(y);
      loaded = true;
      search.start(section.row(z), spacing.x);
      std::size_t at = place[r];
      for (std::size_t x = 0; x < from.width; ++x) {
        if (row[x] != 0) out[at++] = search.value(x);
      }
    }
  }
}

}  // namespace

Mask border(const Mask& mask, Neighbours neighbours) {
  const std::size_t width = mask.width;
  const std::size_t slice = width * mask.height;
  Mask out{width, mask.height, std::vector<std::uint8_t>(mask.inside.size(), 0), mask.depth};
  for (std::size_t z = 0; z < mask.depth; ++z) {
    for (std::size_t y = 0; y < mask.height; ++y) {
      const std::size_t first = z * slice + y * width;
      const std::uint8_t* row = mask.inside.data() + first;
      std::uint8_t* to = out.inside.data() + first;
      bool enclosed = y > 0 && y + 1 < mask.height;
      if (neighbours == Neighbours::six) enclosed = enclosed && z > 0 && z + 1 < mask.depth;
      if (!enclosed) {
        std::copy(row, row + width, to);
        continue;
      }
      for (std::size_t x = 1; x + 1 < width; ++x) {
        to[x] = row[x] & static_cast<std::uint8_t>(
                             ~(row[x - 1] & row[x + 1] & (row - width)[x] & row[x + width]));
      }
      if (neighbours == Neighbours::six) {
        for (std::size_t x = 1; x + 1 < width; ++x) {
          to[x] |= row[x] & static_cast<std::uint8_t>(~((row - slice)[x] & row[x + slice]));
        }
      }
      to[0] = row[0];
      to[width - 1] = row[width - 1];
    }
  }
  return out;
}

std::vector<double> squared_distances(const Mask& from, const Mask& to, Spacing spacing) {
  if (from.inside.size() != to.inside.size() || from.width != to.width ||
      from.height != to.height) {
    throw_internal("distances between masks of different sizes");
  }
  std::vector<double> out(
      static_cast<std::size_t>(std::count(from.inside.begin(), from.inside.end(), 1)));
  if (out.empty()) return out;
  // Half the memory, for all but the tallest masks.
  if (to.height < no_site<std::uint16_t>) {
    answer<std::uint16_t>(from, to, spacing, out);
  } else {
    answer<std::uint32_t>(from, to, spacing, out);
  }
  return out;
}

}  // namespace medurwkv::judge
