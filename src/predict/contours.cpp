#include "predict/contours.h"

#include <cstddef>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "predict/postprocess.h"

namespace medurwkv::predict {

namespace {

/// Right, down, left, up; one further is a turn to the right.
constexpr std::array<Corner, 4> steps{{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}};
/// From a corner, the pixel ahead on the right hand when walking that way.
constexpr std::array<Corner, 4> right_ahead{{{0, 0}, {-1, 0}, {-1, -1}, {0, -1}}};

/// Walks along the edges of objects, the object on the right hand.
class Tracer {
 public:
  Tracer(const data::LabelMap& map, std::vector<std::int32_t> objects)
      : map_(map), objects_(std::move(objects)), walked_(map.labels.size(), 0) {}

  /// Whether an outline that was not walked yet runs above the pixel.
  [[nodiscard]] bool starts_at(std::int64_t x, std::int64_t y) const {
    return walked_[index(x, y)] == 0 && !is(x, y - 1, objects_[index(x, y)]);
  }

  /// The outline above the pixel.
  Ring walk(std::int64_t x, std::int64_t y) {
    const std::int32_t object = objects_[index(x, y)];
    const auto ahead = [&](const Corner& at, std::size_t way) {
      return is(at[0] + right_ahead[way][0], at[1] + right_ahead[way][1], object);
    };
    const Corner start{x, y};
    Corner at = start;
    std::size_t way = 0;
    Ring out;
    do {
      if (way == 0) walked_[index(at[0], at[1])] = 1;
      at = {at[0] + steps[way][0], at[1] + steps[way][1]};
      // The pixel ahead on the left is the one ahead on the right after a left turn.
      const std::size_t left = (way + 3) % 4;
      const std::size_t next = !ahead(at, way) ? (way + 1) % 4 : !ahead(at, left) ? way : left;
      if (next != way) out.push_back(at);
      way = next;
    } while (at != start || way != 0);
    return out;
  }

 private:
  [[nodiscard]] std::size_t index(std::int64_t x, std::int64_t y) const {
    return static_cast<std::size_t>(y * map_.width + x);
  }
  [[nodiscard]] bool is(std::int64_t x, std::int64_t y, std::int32_t object) const {
    return x >= 0 && y >= 0 && x < map_.width && y < map_.height && objects_[index(x, y)] == object;
  }

  const data::LabelMap& map_;
  std::vector<std::int32_t> objects_;
  std::vector<std::uint8_t> walked_;  ///< per pixel: its upper edge
};

}  // namespace

std::vector<Polygon> contours_of(const data::LabelMap& map) {
  Components components = components_of(map);
  const std::vector<std::int32_t> objects = components.of;
  Tracer tracer(map, std::move(components.of));
  std::vector<Polygon> all(components.area.size());
  for (std::int64_t y = 0; y < map.height; ++y) {
    for (std::int64_t x = 0; x < map.width; ++x) {
      const auto pixel = static_cast<std::size_t>(y * map.width + x);
      const std::uint8_t label = map.labels[pixel];
      if (label == 0 || label == ignore_label || !tracer.starts_at(x, y)) continue;
      const auto number = static_cast<std::size_t>(objects[pixel]);
      Polygon& polygon = all[number];
      // Nothing of an object lies above its first pixel, so its first outline is the outer one.
      if (polygon.outer.empty()) {
        polygon.label = label;
        polygon.area = components.area[number];
        polygon.outer = tracer.walk(x, y);
      } else {
        polygon.holes.push_back(tracer.walk(x, y));
      }
    }
  }
  std::erase_if(all, [](const Polygon& one) { return one.outer.empty(); });
  return all;
}

std::string contours_json(const data::LabelMap& map, const std::vector<ClassInfo>& classes) {
  nlohmann::json polygons = nlohmann::json::array();
  for (const Polygon& one : contours_of(map)) {
    polygons.push_back({{"class", one.label},
                        {"name", one.label < classes.size() ? classes[one.label].name : ""},
                        {"area", one.area},
                        {"outer", one.outer},
                        {"holes", one.holes}});
  }
  const nlohmann::json out{{"format", "medurwkv-contours"},
                           {"format_version", 1},
                           {"width", map.width},
                           {"height", map.height},
                           {"polygons", polygons}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string contours_geojson(const data::LabelMap& map, const std::vector<ClassInfo>& classes) {
  const auto closed = [](Ring ring) {
    ring.push_back(ring.front());
    return ring;
  };
  nlohmann::json features = nlohmann::json::array();
  for (const Polygon& one : contours_of(map)) {
    nlohmann::json rings = nlohmann::json::array({closed(one.outer)});
    for (const Ring& hole : one.holes) rings.push_back(closed(hole));
    const bool known = one.label < classes.size();
    features.push_back(
        {{"type", "Feature"},
         {"geometry", {{"type", "Polygon"}, {"coordinates", std::move(rings)}}},
         {"properties",
          {{"objectType", "annotation"},
           {"area", one.area},
           {"classification",
            {{"name", known ? classes[one.label].name : ""},
             {"color", known ? classes[one.label].color : std::array<std::uint8_t, 3>{}}}}}}});
  }
  const nlohmann::json out{{"type", "FeatureCollection"}, {"features", std::move(features)}};
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace medurwkv::predict
