// VGG Image Annotator: the projects and exports of versions 1 to 3 in JSON. Sources:
// via.js of 1.0.6 and 2.0.12, via3's documentation (json format) and _via_shape.js.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What a region or an image says in its attributes: the value of each, by name.
using Values = std::map<std::string, std::string>;

class Via {
 public:
  explicit Via(const fs::path& file)
      : file_(file), builder_(file, to_string(AnnotationKind::via)) {}

  AnnotationFile parse(std::string_view text) {
    const json all = read_json(file_, text);
    if (member(all, "project").is_object() && member(all, "metadata").is_object()) {
      read_third(all);
    } else {
      const json& project = member(all, "_via_img_metadata");
      read_second(project.is_object() ? project : all);
    }
    name_classes();
    return std::move(builder_).take();
  }

 private:
  struct Region {
    std::size_t image = 0, object = 0;
    Values values;
    std::string where;
  };

  void add_image(const std::string& name) {
    if (name.empty()) builder_.fail("has an image without a file name");
    if (!names_.insert(name).second) {
      builder_.fail(concat("has two images with the name ", shown(name), "; remove one of them"));
    }
    builder_.out().images.push_back({.name = name});
  }

  // Versions 1 and 2: an object of images.

  void read_second(const json& images) {
    if (!images.is_object()) builder_.fail("has no object of images");
    for (const auto& [key, one] : images.items()) {
      if (!one.is_object() || !member(one, "filename").is_string()) {
        builder_.fail(concat("the entry ", shown(key), " is no image with a filename"));
      }
      add_image(one.at("filename").get<std::string>());
      const json& regions = member(one, "regions");  // a list, or in version 1 an object
      for (const json& region : regions) {
        const std::string where =
            concat("region ", regions_.size() + 1, " (of ", shown(names_of_last()), ")");
        add_region(member(region, "shape_attributes"), where);
        if (!added_) continue;
        for (const auto& [name, value] : member(region, "region_attributes").items()) {
          regions_.back().values[name] = text_of(value, where);
        }
      }
    }
  }

  [[nodiscard]] const std::string& names_of_last() { return builder_.out().images.back().name; }

  /// A text, or of checkboxes {"name": true} the one that is ticked.
  [[nodiscard]] std::string text_of(const json& value, const std::string& where) const {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return value.dump();
    std::string out;
    for (const auto& [name, ticked] : value.items()) {
      if (ticked != true) continue;
      if (!out.empty()) builder_.fail(concat(where, " has two values of one attribute"));
      out = name;
    }
    return out;
  }

  void add_region(const json& shape, const std::string& where) {
    const std::string type = text_member(shape, "name");
    const auto of = [&](const char* name) {
      return builder_.number(member(shape, name), concat(name, " of ", where));
    };
    added_ = false;
    if (type == "point" || type == "polyline" || type == "line") {
      builder_.leave_out(type);
      return;
    }
    if (type == "polygon") {
      add_polygon(last(),
                  points_of(member(shape, "all_points_x"), member(shape, "all_points_y"), where),
                  where);
    } else if (type == "rect") {
      const double x = of("x");
      const double y = of("y");
      add_polygon(last(), rectangle(x, y, x + of("width"), y + of("height")), where);
    } else if (type == "circle") {
      const double radius = of("r");
      add_ellipse(last(), {of("cx"), of("cy")}, {radius, radius}, 0, where);
    } else if (type == "ellipse") {
      const double turned = shape.contains("theta") ? of("theta") : 0;
      add_ellipse(last(), {of("cx"), of("cy")}, {of("rx"), of("ry")}, turned, where);
    } else {
      builder_.fail(concat(where, " is a shape '", shown(type), "', which is not known"));
    }
  }

  [[nodiscard]] std::vector<Point> points_of(const json& x, const json& y,
                                             const std::string& where) const {
    if (!x.is_array() || !y.is_array() || x.size() != y.size()) {
      builder_.fail(concat(where, " has no lists of x and y of one length"));
    }
    std::vector<Point> out;
    const std::string coordinate = concat("a coordinate of ", where);
    for (std::size_t i = 0; i < x.size(); ++i) {
      out.push_back({builder_.number(x[i], coordinate), builder_.number(y[i], coordinate)});
    }
    return out;
  }

  [[nodiscard]] std::size_t last() { return builder_.out().images.size() - 1; }

  void add_polygon(std::size_t image, std::vector<Point> points, const std::string& where) {
    Object object;
    AnnotationBuilder::add_ring(builder_.out().images[image], object, std::move(points));
    add_object(image, std::move(object), where);
  }

  void add_ellipse(std::size_t image, Point middle, Point axes, double turned,
                   const std::string& where) {
    Object object;
    AnnotationBuilder::add_ellipse(object, middle, axes.x, axes.y, turned);
    add_object(image, std::move(object), where);
  }

  void add_object(std::size_t image, Object object, const std::string& where) {
    std::vector<Object>& objects = builder_.out().images[image].objects;
    regions_.push_back({image, objects.size(), {}, where});
    objects.push_back(std::move(object));
    added_ = true;
  }

  // Version 3: files, views of them, and what was drawn in a view.

  void read_third(const json& all) {
    std::map<std::string, std::size_t> of_file;
    for (const auto& [id, file] : member(all, "file").items()) {
      add_image(text_member(file, "fname"));
      of_file[id] = builder_.out().images.size() - 1;
    }
    std::map<std::string, std::size_t> of_view;
    for (const auto& [id, view] : member(all, "view").items()) {
      const json& files = member(view, "fid_list");
      if (!files.is_array() || files.size() != 1) {
        builder_.fail(concat("the view ", shown(id), " is not of one image"));
      }
      const auto found = of_file.find(id_text(files[0]));
      if (found == of_file.end()) {
        builder_.fail(concat("the view ", shown(id), " is of a file that is not there"));
      }
      of_view[id] = found->second;
    }
    for (const auto& [id, one] : member(all, "metadata").items()) {
      const json& drawn = member(one, "xy");
      if (!drawn.is_array() || drawn.empty()) continue;  // about the image or a time
      const std::string where = concat("metadata ", shown(id));
      const auto view = of_view.find(id_text(member(one, "vid")));
      if (view == of_view.end()) builder_.fail(concat(where, " is of no view"));
      added_ = false;
      add_third(drawn, view->second, where);
      if (!added_) continue;
      for (const auto& [attribute, value] : member(one, "av").items()) {
        const json& known = member(member(all, "attribute"), attribute.c_str());
        const std::string name = text_member(known, "aname");
        const std::string said = text_of(value, where);
        const std::string option = text_member(member(known, "options"), said.c_str());
        regions_.back().values[name.empty() ? attribute : name] = option.empty() ? said : option;
      }
    }
  }

  [[nodiscard]] static std::string id_text(const json& id) {
    return id.is_string() ? id.get<std::string>() : id.dump();
  }

  void add_third(const json& drawn, std::size_t image, const std::string& where) {
    std::vector<double> n;
    for (const json& one : drawn) n.push_back(builder_.number(one, concat("a number of ", where)));
    const auto expect = [&](std::size_t count) {
      if (n.size() < count) builder_.fail(concat(where, " has ", n.size(), " numbers"));
    };
    enum Shape { point = 1, rect, circle, oval, line, polyline, polygon };
    switch (static_cast<int>(n[0])) {
      case point: builder_.leave_out("point"); return;
      case line: builder_.leave_out("line"); return;
      case polyline: builder_.leave_out("polyline"); return;
      case rect:
        expect(5);
        add_polygon(image, rectangle(n[1], n[2], n[1] + n[3], n[2] + n[4]), where);
        return;
      case circle:
        expect(4);
        add_ellipse(image, {n[1], n[2]}, {n[3], n[3]}, 0, where);
        return;
      case oval:
        expect(5);
        add_ellipse(image, {n[1], n[2]}, {n[3], n[4]}, 0, where);
        return;
      case polygon: {
        if (n.size() % 2 == 0) builder_.fail(concat(where, " has an x without its y"));
        std::vector<Point> points;
        for (std::size_t i = 1; i + 1 < n.size(); i += 2) points.push_back({n[i], n[i + 1]});
        add_polygon(image, std::move(points), where);
        return;
      }
      default:
        builder_.fail(concat(where, " is a shape of the number ", n[0],
                             ", which is not read; draw a polygon in its place"));
    }
  }

  /// The attribute that names the class: the only one, else the one that is called so.
  [[nodiscard]] std::string class_attribute() const {
    std::set<std::string> names;
    for (const Region& region : regions_) {
      for (const auto& [name, value] : region.values) names.insert(name);
    }
    if (names.size() <= 1) return names.empty() ? "" : *names.begin();
    for (const char* wanted : {"class", "label", "category", "name", "type"}) {
      const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
        return lower(name) == wanted;
      });
      if (found != names.end()) return *found;
    }
    builder_.fail(concat("its regions have the attributes ",
                         shown(join({names.begin(), names.end()}, ", ")),
                         ", and none is called class, label, category, name or type; rename the "
                         "one that names the class"));
  }

  void name_classes() {
    const std::string attribute = class_attribute();
    for (const Region& region : regions_) {
      const auto value = region.values.find(attribute);
      const std::string name = value == region.values.end() ? "" : trim(value->second);
      if (!attribute.empty() && name.empty()) {
        builder_.fail(concat(region.where, " has no value of ", shown(attribute),
                             ", which names the classes of others"));
      }
      builder_.out().images[region.image].objects[region.object].class_index =
          builder_.class_of(name);
    }
  }

  const fs::path& file_;
  AnnotationBuilder builder_;
  std::set<std::string> names_;
  std::vector<Region> regions_;
  bool added_ = false;
};

}  // namespace

AnnotationFile parse_via(const fs::path& file, std::string_view text) {
  return Via(file).parse(text);
}

}  // namespace medurwkv::data
