// Aperio ImageScope's XML, a file per image, as MoNuSeg and MoNuSAC have it: layers (Annotation) of
// regions, in pixels of the whole image. Source: the files of both sets.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

double area_of(const Ring& ring) {
  const std::vector<Point>& points = ring.points;
  if (ring.is_ellipse) return std::numbers::pi * points[1].x * points[1].y;
  double twice = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& a = points[i];
    const Point& b = points[(i + 1) % points.size()];
    twice += a.x * b.y - b.x * a.y;
  }
  return std::abs(twice) / 2;
}

class ImageScope : public XmlElements {
 public:
  explicit ImageScope(const fs::path& file)
      : builder_(file, to_string(AnnotationKind::imagescope)) {}

  void begin(const std::vector<std::string>& above, const std::string& name,
             const Attributes& attributes) override {
    if (above.empty() && name != "Annotations" && name != "Annotation") {
      builder_.fail(concat("is no ImageScope XML: it begins with <", shown(name), ">"));
    }
    if (name == "Annotation") {
      layer_ = {};
      name_ = text(attributes, "Name");
    } else if (name == "Attribute" && !above.empty() && above.back() == "Attributes" &&
               above.size() >= 2 && above[above.size() - 2] == "Annotation" && name_.empty()) {
      // MoNuSAC writes the class as the attribute's name, ImageScope itself a description.
      const std::string said = text(attributes, "Name");
      name_ = said == "Description" || said.empty() ? text(attributes, "Value") : said;
    } else if (name == "Region") {
      where_ = concat("region ", ++regions_);
      type_ = text(attributes, "Type");
      hole_ = text(attributes, "NegativeROA") == "1";
      points_.clear();
    } else if (name == "Vertex") {
      const std::string coordinate = concat("a coordinate of ", where_);
      points_.push_back({builder_.number_in(text(attributes, "X"), coordinate),
                         builder_.number_in(text(attributes, "Y"), coordinate)});
    }
  }

  void end(const std::vector<std::string>& /*above*/, const std::string& name,
           const std::string& /*text*/) override {
    if (name == "Region") end_region();
    if (name == "Annotation") end_layer();
  }

  AnnotationFile take() && {
    builder_.out().by_stem = true;
    builder_.out().images.push_back(std::move(image_));
    return std::move(builder_).take();
  }

 private:
  static std::string text(const Attributes& attributes, const char* name) {
    const auto found = attributes.find(name);
    return found == attributes.end() ? "" : trim(found->second);
  }

  void end_region() {
    // 0: drawn by hand, 1: a rectangle, 2: an ellipse; further ones are arrows, rulers and pins.
    if (!type_.empty() && type_ != "0" && type_ != "1" && type_ != "2") {
      builder_.leave_out("arrow, ruler or pin");
      return;
    }
    const Ring::Use use = hole_ ? Ring::Use::cuts : Ring::Use::adds;
    if (points_.size() == 2 && type_ == "2") {
      const auto [a, b] = std::pair(points_[0], points_[1]);
      AnnotationBuilder::add_ellipse(layer_, {(a.x + b.x) / 2, (a.y + b.y) / 2}, (b.x - a.x) / 2,
                                     (b.y - a.y) / 2, 0, use);
      return;
    }
    if (points_.size() == 2 && type_ == "1") {
      points_ = rectangle(points_[0].x, points_[0].y, points_[1].x, points_[1].y);
    }
    AnnotationBuilder::add_ring(image_, layer_, std::move(points_), use);
    points_ = {};
  }

  /// A hole cuts the larger regions of its layer, so regions come by size, the largest first.
  void end_layer() {
    if (layer_.rings.empty()) return;
    const auto is_hole = [](const Ring& ring) { return ring.use == Ring::Use::cuts; };
    if (std::any_of(layer_.rings.begin(), layer_.rings.end(), is_hole)) {
      std::vector<std::pair<double, std::size_t>> order;
      for (std::size_t i = 0; i < layer_.rings.size(); ++i) {
        order.emplace_back(-area_of(layer_.rings[i]), i);
      }
      std::sort(order.begin(), order.end());
      std::vector<Ring> sorted;
      sorted.reserve(order.size());
      for (const auto& [area, i] : order) sorted.push_back(std::move(layer_.rings[i]));
      layer_.rings = std::move(sorted);
    } else {
      for (Ring& ring : layer_.rings) ring.use = Ring::Use::part;
    }
    layer_.class_index = builder_.class_of(name_);
    image_.objects.push_back(std::move(layer_));
    layer_ = {};
  }

  AnnotationBuilder builder_;
  AnnotatedImage image_;
  Object layer_;
  std::string name_, where_, type_;
  bool hole_ = false;
  std::vector<Point> points_;
  std::int64_t regions_ = 0;
};

}  // namespace

AnnotationFile parse_imagescope(const fs::path& file, std::string_view text) {
  ImageScope all(file);
  read_xml(file, text, all);
  return std::move(all).take();
}

}  // namespace medurwkv::data
