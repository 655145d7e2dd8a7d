// CVAT for images 1.1: an XML file of many images. Source: docs.cvat.ai (XML annotation format).
#include <algorithm>
#include <charconv>
#include <numbers>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

class Cvat : public XmlElements {
 public:
  explicit Cvat(const fs::path& file) : builder_(file, to_string(AnnotationKind::cvat)) {}

  void begin(const std::vector<std::string>& above, const std::string& name,
             const Attributes& attributes) override {
    if (above.empty() && name != "annotations") {
      builder_.fail(concat("is no CVAT XML: it begins with <", shown(name), ">"));
    }
    if (name == "track") {
      builder_.fail("holds tracks of a film; export it as 'CVAT for images 1.1'");
    }
    if (above.size() == 1 && name == "image") begin_image(attributes);
    if (above.size() == 2 && above.back() == "image") add_shape(name, attributes);
  }

  void end(const std::vector<std::string>& above, const std::string& name,
           const std::string& text) override {
    // meta/task/labels/label/name; the labels come before the images.
    if (name == "name" && above.size() >= 2 && above.back() == "label" &&
        above[above.size() - 2] == "labels") {
      const std::string label = trim(text);
      if (!label.empty()) builder_.class_of(label, ++labels_);
    }
    if (above.size() == 1 && name == "image") end_image();
  }

  AnnotationFile take() && { return std::move(builder_).take(); }

 private:
  [[nodiscard]] std::string text(const Attributes& attributes, const char* name) const {
    const auto found = attributes.find(name);
    if (found == attributes.end()) builder_.fail(concat(where_, " has no ", name));
    return found->second;
  }
  [[nodiscard]] double number(const Attributes& attributes, const char* name) const {
    return builder_.number_in(text(attributes, name), concat(name, " of ", where_));
  }
  [[nodiscard]] double number_or_0(const Attributes& attributes, const char* name) const {
    return attributes.contains(name) ? number(attributes, name) : 0;
  }

  void begin_image(const Attributes& attributes) {
    where_ = concat("image ", builder_.out().images.size() + 1);
    image_ = {.name = text(attributes, "name")};
    image_.size = builder_.size(number(attributes, "width"), number(attributes, "height"), where_);
    if (image_.name.empty()) builder_.fail(concat(where_, " has no name"));
    if (!names_.insert(image_.name).second) {
      builder_.fail(
          concat("has two images with the name ", shown(image_.name), "; remove one of them"));
    }
    heights_.clear();
  }

  /// What lies higher covers what lies lower, then later shapes cover earlier ones.
  void end_image() {
    std::vector<std::size_t> order(heights_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return heights_[a] < heights_[b]; });
    std::vector<Object> sorted;
    sorted.reserve(order.size());
    for (const std::size_t i : order) sorted.push_back(std::move(image_.objects[i]));
    image_.objects = std::move(sorted);
    builder_.out().images.push_back(std::move(image_));
  }

  void add_shape(const std::string& name, const Attributes& attributes) {
    where_ = concat("<", shown(name), "> ", image_.objects.size() + 1, " of ", shown(image_.name));
    if (name == "points" || name == "polyline" || name == "skeleton" || name == "tag") {
      builder_.leave_out(name);
      return;
    }
    Object object{.class_index = builder_.class_of(text(attributes, "label"), labels_ + 1)};
    const double turned = number_or_0(attributes, "rotation") * std::numbers::pi / 180;
    if (name == "polygon") {
      AnnotationBuilder::add_ring(image_, object, points_of(text(attributes, "points")));
    } else if (name == "box") {
      AnnotationBuilder::add_ring(
          image_, object,
          rectangle(number(attributes, "xtl"), number(attributes, "ytl"), number(attributes, "xbr"),
                    number(attributes, "ybr"), turned));
    } else if (name == "ellipse") {
      AnnotationBuilder::add_ellipse(object, {number(attributes, "cx"), number(attributes, "cy")},
                                     number(attributes, "rx"), number(attributes, "ry"), turned);
    } else if (name == "mask") {
      object.runs.push_back(runs_from(attributes));
    } else {
      builder_.fail(concat(where_, " is a shape that is not read; draw a polygon in its place"));
    }
    image_.objects.push_back(std::move(object));
    heights_.push_back(number_or_0(attributes, "z_order"));
  }

  [[nodiscard]] std::vector<Point> points_of(std::string_view points) const {
    std::vector<Point> out;
    const std::string coordinate = concat("a coordinate of ", where_);
    while (!points.empty()) {
      const std::string_view one = points.substr(0, points.find(';'));
      points.remove_prefix(std::min(points.size(), one.size() + 1));
      const std::size_t comma = one.find(',');
      if (comma == std::string_view::npos) {
        builder_.fail(concat(where_, " has the point '", shown(one), "', expected x,y"));
      }
      out.push_back({builder_.number_in(one.substr(0, comma), coordinate),
                     builder_.number_in(one.substr(comma + 1), coordinate)});
    }
    return out;
  }

  [[nodiscard]] Runs runs_from(const Attributes& attributes) const {
    Runs out{
        .left = static_cast<std::int64_t>(number(attributes, "left")),
        .top = static_cast<std::int64_t>(number(attributes, "top")),
        .size = builder_.size(number(attributes, "width"), number(attributes, "height"), where_)};
    const std::string all = text(attributes, "rle");
    std::string_view rest = all;
    while (!rest.empty()) {
      const std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      const std::string plain = trim(one);
      std::uint32_t count = 0;
      const char* const end = plain.data() + plain.size();
      const auto [stop, error] = std::from_chars(plain.data(), end, count);
      if (error != std::errc() || stop != end) {
        builder_.fail(concat(where_, " has a run of the length '", shown(plain), "'"));
      }
      out.counts.push_back(count);
    }
    try {
      check_runs(out);
    } catch (const Error& error) {
      builder_.fail(concat(where_, ": ", error.what()));
    }
    return out;
  }

  AnnotationBuilder builder_;
  std::set<std::string> names_;
  std::int64_t labels_ = 0;
  AnnotatedImage image_;
  std::vector<double> heights_;  ///< z_order by object
  std::string where_;
};

}  // namespace

AnnotationFile parse_cvat(const fs::path& file, std::string_view text) {
  Cvat cvat(file);
  read_xml(file, text, cvat);
  return std::move(cvat).take();
}

}  // namespace medurwkv::data
