// Outlines of objects as annotation tools write them: COCO JSON, LabelMe, VIA, CVAT XML, ImageScope
// XML and QuPath GeoJSON, all as one thing. Coordinates are in pixels; the centre of the first
// pixel is (0.5, 0.5). Relies on data/codecs/read.h, nlohmann_json and expat.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/image/image.h"

namespace medurwkv::data {

/// A closed outline and what it does to its object. What is inside is decided even-odd.
struct Ring {
  enum class Use {
    part,  ///< begins a part of the object; parts are united
    adds,  ///< adds its inside to the part
    cuts,  ///< takes its inside away from what the part holds so far: a hole
  };
  /// Three at least. Of an ellipse: its middle, its half axes, and in x the angle in radians by
  /// which it is turned, clockwise as seen.
  std::vector<Point> points;
  Use use = Use::part;
  bool is_ellipse = false;
};

/// Pixels of a rectangle as the lengths of runs: of 0, of 1, of 0 ...
struct Runs {
  std::int64_t left = 0, top = 0;
  ImageSize size;
  std::vector<std::uint32_t> counts{};  ///< their sum is the rectangle's area
  bool by_columns = false;              ///< column by column (COCO), else row by row
};

struct Object {
  std::size_t class_index = 0;  ///< in AnnotationFile::classes
  bool ignored = false;         ///< COCO's crowds: neither trained on nor judged
  std::vector<Ring> rings{};
  std::vector<Runs> runs{};
};

struct AnnotatedImage {
  std::string name{};               ///< its file's, as the tool wrote it; empty: see by_stem
  std::optional<ImageSize> size{};  ///< where the tool wrote it
  std::vector<Object> objects{};    ///< later ones cover earlier ones
  std::int64_t short_rings = 0;     ///< outlines of fewer than three points, which are left out
};

/// A class, by its name. An empty name: the tool wrote none.
struct AnnotatedClass {
  std::string name;
  std::int64_t order = 0;  ///< COCO's id, CVAT's place in the list of labels; else 0
};

struct AnnotationFile {
  std::filesystem::path file;
  const char* format = "";  ///< for people: "COCO JSON"
  std::vector<AnnotatedClass> classes{};
  std::vector<AnnotatedImage> images{};
  /// The one image may be called as the file, whatever `name` says (LabelMe, ImageScope, QuPath).
  bool by_stem = false;
  /// The images' outlines are withheld: COCO's list of test images.
  bool withheld = false;
  /// What has no area and is left out, as "3 points"; counts by name.
  std::map<std::string, std::int64_t> left_out{};
};

enum class AnnotationKind { none, coco, labelme, via, cvat, imagescope, geojson };

/// By suffix and first bytes. `none` for other files, and for what cannot be read.
AnnotationKind annotation_kind(const std::filesystem::path& file);

/// For people: "COCO JSON".
const char* to_string(AnnotationKind kind);

/// All that a file says. Throws Error naming the file, what is wrong and where, for a file that
/// contradicts itself, holds boxes without outlines, coordinates farther than 2^24 pixels from the
/// image, or is nested deeper than 64.
AnnotationFile read_annotations(const std::filesystem::path& file, AnnotationKind kind);
/// The same from the file's bytes.
AnnotationFile parse_annotations(const std::filesystem::path& file, std::string_view bytes,
                                 AnnotationKind kind);

}  // namespace medurwkv::data
