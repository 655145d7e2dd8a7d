// Objects of a label map as polygons, for programs that draw or measure outlines. Relies on
// predict/postprocess.h for what an object is, and on nlohmann/json.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/image/image.h"

namespace medurwkv::predict {

/// A corner of pixels: pixel (x, y) covers x to x + 1 and y to y + 1, y downwards.
using Corner = std::array<std::int64_t, 2>;
/// Corners in order, the first not repeated at the end; no three in a row on one line.
using Ring = std::vector<Corner>;

/// One object.
struct Polygon {
  std::uint8_t label = 0;
  std::int64_t area = 0;    ///< pixels, holes not counted
  Ring outer;               ///< clockwise as seen
  std::vector<Ring> holes;  ///< counter-clockwise
};

/// The objects of all foreground classes in reading order of their first pixel. The outlines run
/// along the edges of pixels, so that filling them (even-odd or non-zero, by the pixels' centres)
/// gives back the map. Where an object touches itself at a corner, so does its outline.
std::vector<Polygon> contours_of(const data::LabelMap& map);

/// The polygons as JSON: format "medurwkv-contours", format_version 1, width, height, polygons
/// [{class, name, area, outer [[x, y], ...], holes [[[x, y], ...], ...]}].
std::string contours_json(const data::LabelMap& map, const std::vector<ClassInfo>& classes);

/// The polygons as GeoJSON: a FeatureCollection of Polygons in pixels, with the properties that
/// QuPath reads (objectType, classification.name and .color), and "area".
std::string contours_geojson(const data::LabelMap& map, const std::vector<ClassInfo>& classes);

}  // namespace medurwkv::predict
