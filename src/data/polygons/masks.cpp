#include "data/polygons/masks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/text.h"

namespace medurwkv::data {
namespace {

/// Pixels from `left` to below `right`, and so down.
struct Box {
  std::int64_t left = 0, top = 0, right = 0, bottom = 0;

  [[nodiscard]] std::int64_t width() const { return std::max<std::int64_t>(0, right - left); }
  [[nodiscard]] std::int64_t height() const { return std::max<std::int64_t>(0, bottom - top); }
  [[nodiscard]] std::int64_t area() const { return width() * height(); }
  void include(const Box& other) {
    if (other.area() == 0) return;
    if (area() == 0) {
      *this = other;
      return;
    }
    left = std::min(left, other.left);
    top = std::min(top, other.top);
    right = std::max(right, other.right);
    bottom = std::max(bottom, other.bottom);
  }
};

/// The first pixel whose centre is at `at` or behind it.
std::int64_t first_behind(double at) {
  return static_cast<std::int64_t>(std::ceil(at - 0.5));
}

/// The corners of what holds the outline.
std::pair<Point, Point> corners_of(const Ring& ring) {
  Point least = ring.points.front();
  Point most = least;
  if (ring.is_ellipse) {
    const auto [across, down] = ring.points[1];
    const double cosine = std::cos(ring.points[2].x);
    const double sine = std::sin(ring.points[2].x);
    const Point half{std::hypot(across * cosine, down * sine),
                     std::hypot(across * sine, down * cosine)};
    return {{least.x - half.x, least.y - half.y}, {most.x + half.x, most.y + half.y}};
  }
  for (const Point& point : ring.points) {
    least = {std::min(least.x, point.x), std::min(least.y, point.y)};
    most = {std::max(most.x, point.x), std::max(most.y, point.y)};
  }
  return {least, most};
}

/// The pixels that the outline may hold.
Box box_of(const Ring& ring, ImageSize size) {
  const auto [least, most] = corners_of(ring);
  const auto clipped = [](double at, std::int64_t side) {
    return std::clamp<std::int64_t>(first_behind(at), 0, side);
  };
  // An ellipse holds centres that lie on it, and its corners are rounded.
  const double margin = ring.is_ellipse ? 1 : 0;
  return {clipped(least.x - margin, size.width), clipped(least.y - margin, size.height),
          clipped(most.x + margin, size.width), clipped(most.y + margin, size.height)};
}

/// The edges of an outline that cross rows of the box, from their upper end to their lower one: an
/// edge that two outlines share is computed alike for both.
template <class Visit>
void for_each_edge(const Ring& ring, const Box& box, const Visit& visit) {
  for (std::size_t i = 0; i < ring.points.size(); ++i) {
    Point upper = ring.points[i];
    Point lower = ring.points[i + 1 == ring.points.size() ? 0 : i + 1];
    if (lower.y < upper.y) std::swap(upper, lower);
    const std::int64_t first = std::max(first_behind(upper.y), box.top);
    const std::int64_t end = std::min(first_behind(lower.y), box.bottom);
    if (first < end) visit(upper, lower, first, end);
  }
}

/// Objects of one image, painted one after the other.
class Painter {
 public:
  Painter(const std::string& name, ImageSize size) : name_(name), size_(size) {
    out_ = {size.width, size.height, {}};
    out_.labels.resize(static_cast<std::size_t>(size.width * size.height));
  }

  void paint(const Object& object, std::uint8_t label) {
    for (std::size_t begin = 0; begin < object.rings.size();) {
      std::size_t end = begin + 1;
      while (end < object.rings.size() && object.rings[end].use != Ring::Use::part) ++end;
      paint_part(std::span(object.rings).subspan(begin, end - begin), label);
      begin = end;
    }
    for (const Runs& runs : object.runs) paint_runs(runs, label);
  }

  LabelMap take() && { return std::move(out_); }

 private:
  /// Refuses what would take minutes. Real outlines of an image hold each pixel a few times, and
  /// cross each row a few hundred times.
  void spend(std::int64_t pixels, std::int64_t crossings) {
    constexpr std::int64_t least = std::int64_t{1} << 30;
    constexpr std::int64_t most_crossings = std::int64_t{1} << 28;
    pixels_ += pixels;
    crossings_ += crossings;
    const std::int64_t most = std::max(least, 64 * size_.width * size_.height);
    if (pixels_ > most || crossings_ > most_crossings) {
      throw_failure(concat(name_, ": its outlines are too long or too many: they cover ", pixels_,
                           " pixels and cross ", crossings_, " rows of pixels; an image of ",
                           size_.width, " x ", size_.height, " may have ", most, " and ",
                           most_crossings));
    }
  }

  /// Whether each pixel of the box is inside the outline.
  const std::vector<std::uint8_t>& inside(const Ring& ring, const Box& box) {
    if (ring.is_ellipse) return inside_ellipse(ring, box);
    std::int64_t crossings = std::ssize(ring.points);
    for_each_edge(ring, box, [&](const Point&, const Point&, std::int64_t first, std::int64_t end) {
      crossings += end - first;
    });
    spend(box.area(), crossings);
    inside_.assign(static_cast<std::size_t>(box.area()), 0);
    const std::int64_t width = box.width();
    // Where an edge crosses a row, all pixels behind it change sides.
    for_each_edge(ring, box, [&](const Point& a, const Point& b, std::int64_t y, std::int64_t end) {
      for (; y < end; ++y) {
        const double along = static_cast<double>(y) + 0.5 - a.y;
        const double x = a.x + along * (b.x - a.x) / (b.y - a.y);
        const std::int64_t column = std::max(first_behind(x), box.left);
        if (column >= box.right) continue;
        inside_[static_cast<std::size_t>((y - box.top) * width + column - box.left)] ^= 1;
      }
    });
    for (std::int64_t y = 0; y < box.height(); ++y) {
      std::uint8_t side = 0;
      for (std::int64_t x = 0; x < width; ++x) {
        std::uint8_t& pixel = inside_[static_cast<std::size_t>(y * width + x)];
        side ^= pixel;
        pixel = side;
      }
    }
    return inside_;
  }

  const std::vector<std::uint8_t>& inside_ellipse(const Ring& ring, const Box& box) {
    spend(8 * box.area(), 1);
    inside_.assign(static_cast<std::size_t>(box.area()), 0);
    const auto [across, down] = ring.points[1];
    if (across == 0 || down == 0) return inside_;
    const double cosine = std::cos(ring.points[2].x);
    const double sine = std::sin(ring.points[2].x);
    std::size_t at = 0;
    for (std::int64_t row = box.top; row < box.bottom; ++row) {
      const double y = static_cast<double>(row) + 0.5 - ring.points[0].y;
      for (std::int64_t column = box.left; column < box.right; ++column) {
        const double x = static_cast<double>(column) + 0.5 - ring.points[0].x;
        const double u = (x * cosine + y * sine) / across;
        const double v = (y * cosine - x * sine) / down;
        inside_[at++] = u * u + v * v <= 1 ? 1 : 0;
      }
    }
    return inside_;
  }

  void mark(const Box& box, const std::vector<std::uint8_t>& marked, std::uint8_t label) {
    for (std::int64_t y = box.top; y < box.bottom; ++y) {
      const std::uint8_t* from = &marked[static_cast<std::size_t>((y - box.top) * box.width())];
      std::uint8_t* to = &out_.labels[static_cast<std::size_t>(y * size_.width + box.left)];
      for (std::int64_t x = 0; x < box.width(); ++x) {
        if (from[x] != 0) to[x] = label;
      }
    }
  }

  void paint_part(std::span<const Ring> rings, std::uint8_t label) {
    const bool cut = std::any_of(rings.begin(), rings.end(),
                                 [](const Ring& ring) { return ring.use == Ring::Use::cuts; });
    if (!cut) {
      for (const Ring& ring : rings) {
        const Box box = box_of(ring, size_);
        if (box.area() > 0) mark(box, inside(ring, box), label);
      }
      return;
    }
    Box all;
    for (const Ring& ring : rings) {
      if (ring.use != Ring::Use::cuts) all.include(box_of(ring, size_));
    }
    if (all.area() == 0) return;
    part_.assign(static_cast<std::size_t>(all.area()), 0);
    for (const Ring& ring : rings) {
      Box box = box_of(ring, size_);
      box = {std::max(box.left, all.left), std::max(box.top, all.top),
             std::min(box.right, all.right), std::min(box.bottom, all.bottom)};
      if (box.area() == 0) continue;
      const std::vector<std::uint8_t>& own = inside(ring, box);
      const std::uint8_t value = ring.use == Ring::Use::cuts ? 0 : 1;
      for (std::int64_t y = 0; y < box.height(); ++y) {
        const std::uint8_t* from = &own[static_cast<std::size_t>(y * box.width())];
        std::uint8_t* to = &part_[static_cast<std::size_t>((y + box.top - all.top) * all.width() +
                                                           box.left - all.left)];
        for (std::int64_t x = 0; x < box.width(); ++x) {
          if (from[x] != 0) to[x] = value;
        }
      }
    }
    mark(all, part_, label);
  }

  void paint_runs(const Runs& runs, std::uint8_t label) {
    // Lines are columns of COCO's, else rows.
    const std::int64_t length = runs.by_columns ? runs.size.height : runs.size.width;
    const std::int64_t along = runs.by_columns ? runs.top : runs.left;
    const std::int64_t across = runs.by_columns ? runs.left : runs.top;
    const std::int64_t along_side = runs.by_columns ? size_.height : size_.width;
    const std::int64_t across_side = runs.by_columns ? size_.width : size_.height;
    std::int64_t at = 0;
    bool inside = false;
    for (const std::uint32_t count : runs.counts) {
      const std::int64_t end = at + count;
      const std::int64_t first_line = std::max(at / length, -across);
      const std::int64_t last_line = std::min((end + length - 1) / length, across_side - across);
      for (std::int64_t line = first_line; inside && line < last_line; ++line) {
        const std::int64_t from =
            std::max(std::max(at - line * length, std::int64_t{0}) + along, std::int64_t{0});
        const std::int64_t to = std::min(std::min(end - line * length, length) + along, along_side);
        spend(std::max<std::int64_t>(0, to - from), 1);
        for (std::int64_t i = from; i < to; ++i) {
          const std::int64_t x = runs.by_columns ? line + across : i;
          const std::int64_t y = runs.by_columns ? i : line + across;
          out_.labels[static_cast<std::size_t>(y * size_.width + x)] = label;
        }
      }
      at = end;
      inside = !inside;
    }
  }

  const std::string& name_;
  ImageSize size_;
  LabelMap out_;
  std::vector<std::uint8_t> inside_, part_;
  std::int64_t pixels_ = 0, crossings_ = 0;
};

/// Twice the area of the triangle, with a sign.
double turn(const Point& a, const Point& b, const Point& c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/// Whether two edges cross; that they touch is not enough.
bool cross(const Point& a, const Point& b, const Point& c, const Point& d) {
  const auto apart = [](double one, double other) {
    return (one > 0 && other < 0) || (one < 0 && other > 0);
  };
  return apart(turn(a, b, c), turn(a, b, d)) && apart(turn(c, d, a), turn(c, d, b));
}

bool crosses_itself(const std::vector<Point>& points, std::int64_t& patience) {
  struct Edge {
    Point from, to;
    double left, right;
  };
  std::vector<Edge> edges;
  edges.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& a = points[i];
    const Point& b = points[(i + 1) % points.size()];
    edges.push_back({a, b, std::min(a.x, b.x), std::max(a.x, b.x)});
  }
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return a.left < b.left; });
  for (std::size_t i = 0; i < edges.size(); ++i) {
    for (std::size_t j = i + 1; j < edges.size() && edges[j].left <= edges[i].right; ++j) {
      if (--patience < 0) return false;
      if (cross(edges[i].from, edges[i].to, edges[j].from, edges[j].to)) return true;
    }
  }
  return false;
}

}  // namespace

LabelMap paint(const std::string& name, const AnnotatedImage& image, ImageSize size,
               const std::vector<std::uint8_t>& labels) {
  const MemoryClaim claim(name, 3 * size.width * size.height);
  Painter painter(name, size);
  for (const Object& object : image.objects) {
    painter.paint(object, object.ignored ? ignore_label : labels.at(object.class_index));
  }
  return std::move(painter).take();
}

Oddities oddities_of(const AnnotatedImage& image, ImageSize size, std::int64_t& patience) {
  Oddities out;
  const auto right = static_cast<double>(size.width) + 1;
  const auto bottom = static_cast<double>(size.height) + 1;
  for (const Object& object : image.objects) {
    for (const Ring& ring : object.rings) {
      const auto [least, most] = corners_of(ring);
      const bool beyond = least.x < -1 || least.y < -1 || most.x > right || most.y > bottom;
      out.beyond += beyond ? 1 : 0;
      if (!ring.is_ellipse && patience > 0 && crosses_itself(ring.points, patience)) ++out.crossing;
    }
    for (const Runs& runs : object.runs) {
      const bool beyond = runs.left < 0 || runs.top < 0 ||
                          runs.left + runs.size.width > size.width ||
                          runs.top + runs.size.height > size.height;
      out.beyond += beyond ? 1 : 0;
    }
  }
  return out;
}

PolygonMasks::PolygonMasks(AnnotationFile file, std::vector<std::uint8_t> labels)
    : file_(std::move(file)), labels_(std::move(labels)) {
  for (std::size_t i = 0; i < file_.images.size(); ++i) {
    by_name_.emplace(file_.by_stem ? "" : file_.images[i].name, i);
  }
}

const AnnotatedImage& PolygonMasks::find(const std::string& id) const {
  const auto found = by_name_.find(id);
  if (found == by_name_.end()) {
    throw_internal(concat(file_.file.string(), ": has no outlines of ", id));
  }
  return file_.images[found->second];
}

Image PolygonMasks::image(const std::string& id) const {
  throw_internal(concat(file_.file.string(), ": holds outlines, no pixels of ", id));
}

LabelMap PolygonMasks::labels(const std::string& id) const {
  const AnnotatedImage& image = find(id);
  const std::string name =
      concat(file_.file.string(), id.empty() ? std::string() : concat(" (", id, ")"));
  return paint(name, image, image.size.value(), labels_);
}

ImageSize PolygonMasks::size(const std::string& id) const {
  return find(id).size.value();
}

}  // namespace medurwkv::data
