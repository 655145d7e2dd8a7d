// GeoJSON as QuPath exports it: a file per image, in pixels of the whole image. Sources: RFC 7946,
// QuPath's documentation (exporting annotations).
#include <utility>

#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class GeoJson {
 public:
  explicit GeoJson(const fs::path& file) : builder_(file, to_string(AnnotationKind::geojson)) {}

  void take(JsonItem&& item) {
    if (item.list.empty() || item.list == "features") add(item.value);
  }

  AnnotationFile finish(const std::set<std::string>& lists) {
    if (lists.contains("geometry")) {
      builder_.fail("is a single feature; export the objects as a FeatureCollection");
    }
    if (!lists.empty() && !lists.contains("features")) builder_.fail("has no list of features");
    builder_.out().by_stem = true;
    builder_.out().images.push_back(std::move(image_));
    return std::move(builder_).take();
  }

 private:
  void add(const json& feature) {
    const std::string where = concat("feature ", ++features_);
    const json& geometry = member(feature, "geometry");
    const std::string type = text_member(geometry, "type");
    if (type == "Point" || type == "MultiPoint" || type == "LineString" ||
        type == "MultiLineString") {
      builder_.leave_out(type);
      return;
    }
    const json& coordinates = member(geometry, "coordinates");
    Object object;
    if (type == "Polygon") {
      add_polygon(coordinates, where, object);
    } else if (type == "MultiPolygon") {
      if (!coordinates.is_array()) builder_.fail(concat(where, " has no coordinates"));
      for (const json& polygon : coordinates) add_polygon(polygon, where, object);
    } else {
      builder_.fail(concat(where, " has a geometry of the type '", shown(type),
                           "'; Polygon and MultiPolygon are read"));
    }
    const json& properties = member(feature, "properties");
    const json& kind = member(properties, "classification");
    object.class_index =
        builder_.class_of(kind.is_string() ? kind.get<std::string>() : text_member(kind, "name"));
    image_.objects.push_back(std::move(object));
  }

  void add_polygon(const json& rings, const std::string& where, Object& object) {
    if (!rings.is_array()) builder_.fail(concat(where, " has no coordinates"));
    Ring::Use use = Ring::Use::part;
    for (const json& ring : rings) {
      std::vector<Point> points;
      if (!ring.is_array()) builder_.fail(concat(where, " has an outline that is no list"));
      const std::string coordinate = concat("a coordinate of ", where);
      for (const json& point : ring) {
        if (!point.is_array() || point.size() < 2) {
          builder_.fail(concat(where, " has a point without x and y"));
        }
        points.push_back(
            {builder_.number(point[0], coordinate), builder_.number(point[1], coordinate)});
      }
      const std::size_t before = object.rings.size();
      AnnotationBuilder::add_ring(image_, object, std::move(points), use);
      // The holes of an outline that is left out are left out with it.
      if (use == Ring::Use::part && object.rings.size() == before) return;
      use = Ring::Use::cuts;
    }
  }

  AnnotationBuilder builder_;
  AnnotatedImage image_;
  std::int64_t features_ = 0;
};

}  // namespace

AnnotationFile parse_geojson(const fs::path& file, std::string_view text) {
  GeoJson all(file);
  const auto lists =
      read_json_items(file, text, [&](JsonItem&& item) { all.take(std::move(item)); });
  return all.finish(lists);
}

}  // namespace medurwkv::data
