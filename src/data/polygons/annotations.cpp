#include "data/polygons/annotations.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <new>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// Coordinates beyond this are damaged: no image is so large.
constexpr double farthest = 1 << 24;

constexpr std::uint64_t longest_file = std::uint64_t{1} << 30;

bool holds(const std::string& text, std::initializer_list<const char*> words) {
  return std::all_of(words.begin(), words.end(),
                     [&](const char* word) { return text.find(word) != std::string::npos; });
}

/// Lists and members may come in any order, and the first be long.
AnnotationKind kind_of_json(const std::string& text) {
  if (holds(text, {"\"shapes\"", "\"imagePath\""}) ||
      holds(text, {"\"shapes\"", "\"points\"", "\"label\""})) {
    return AnnotationKind::labelme;
  }
  if (holds(text, {"\"_via_img_metadata\""}) || holds(text, {"\"regions\"", "_attributes\""}) ||
      holds(text, {"\"file_attributes\"", "\"filename\""}) ||
      holds(text, {"\"project\"", "\"vid_list\""})) {
    return AnnotationKind::via;
  }
  if (holds(text, {"\"geometry\"", "\"coordinates\""}) ||
      holds(text, {"\"FeatureCollection\"", "\"features\""})) {
    return AnnotationKind::geojson;
  }
  if (holds(text, {"\"images\"", "\"file_name\""}) ||
      holds(text, {"\"images\"", "\"annotations\""}) ||
      holds(text, {"\"image_id\"", "\"segmentation\""})) {
    return AnnotationKind::coco;
  }
  return AnnotationKind::none;
}

AnnotationKind kind_of_xml(const std::string& text) {
  if (holds(text, {"<Annotation", "<Region"}) || holds(text, {"<Annotations", "MicronsPerPixel"})) {
    return AnnotationKind::imagescope;
  }
  if (holds(text, {"<annotations"})) return AnnotationKind::cvat;
  return AnnotationKind::none;
}

}  // namespace

AnnotationKind annotation_kind(const fs::path& file) {
  const std::string suffix = lower(file.extension().string());
  const bool json = suffix == ".json" || suffix == ".geojson";
  if (!json && suffix != ".xml") return AnnotationKind::none;
  constexpr std::size_t start = 65536;
  try {
    const std::string text = read_start(file, start);
    return json ? kind_of_json(text) : kind_of_xml(text);
  } catch (const Error&) {
    return AnnotationKind::none;
  }
}

const char* to_string(AnnotationKind kind) {
  switch (kind) {
    case AnnotationKind::coco: return "COCO JSON";
    case AnnotationKind::labelme: return "LabelMe JSON";
    case AnnotationKind::via: return "VIA JSON";
    case AnnotationKind::cvat: return "CVAT XML";
    case AnnotationKind::imagescope: return "ImageScope XML";
    case AnnotationKind::geojson: return "GeoJSON";
    case AnnotationKind::none: break;
  }
  return "no annotations";
}

AnnotationFile read_annotations(const fs::path& file, AnnotationKind kind) {
  const std::string text = read_file(file, longest_file);
  // Outlines in memory take about as much as their text; one item more while it is parsed.
  const MemoryClaim claim(file.string(), 2 * static_cast<std::int64_t>(text.size()));
  try {
    return parse_annotations(file, text, kind);
  } catch (const std::bad_alloc&) {
    throw MemoryError(concat(file.string(),
                             ": its outlines take more memory than is left; allow "
                             "more, or share its images out among several files"));
  }
}

AnnotationFile parse_annotations(const fs::path& file, std::string_view bytes,
                                 AnnotationKind kind) {
  switch (kind) {
    case AnnotationKind::coco: return parse_coco(file, bytes);
    case AnnotationKind::labelme: return parse_labelme(file, bytes);
    case AnnotationKind::via: return parse_via(file, bytes);
    case AnnotationKind::cvat: return parse_cvat(file, bytes);
    case AnnotationKind::imagescope: return parse_imagescope(file, bytes);
    case AnnotationKind::geojson: return parse_geojson(file, bytes);
    case AnnotationKind::none: break;
  }
  throw_internal(concat(file.string(), ": is no file of annotations"));
}

AnnotationBuilder::AnnotationBuilder(const fs::path& file, const char* format)
    : name_(file.string()), out_{.file = file, .format = format} {}

void AnnotationBuilder::fail(const std::string& what) const {
  throw_failure(concat(name_, ": ", what));
}

double AnnotationBuilder::checked(double value, const std::string& where) const {
  if (!(std::abs(value) <= farthest)) {
    fail(concat(where, " is ", value, "; expected pixels, at most 2^24 from the image's corner"));
  }
  return value;
}

double AnnotationBuilder::number(const nlohmann::json& value, const std::string& where) const {
  if (!value.is_number()) fail(concat(where, " is ", shown(value.dump()), ", expected a number"));
  return checked(value.get<double>(), where);
}

double AnnotationBuilder::number_in(std::string_view text, const std::string& where) const {
  const std::string plain = trim(text);
  double out = 0;
  const char* const end = plain.data() + plain.size();
  const auto [stop, error] = std::from_chars(plain.data(), end, out);
  if (error != std::errc() || stop != end) {
    fail(concat(where, " is '", shown(plain), "', expected a number"));
  }
  return checked(out, where);
}

ImageSize AnnotationBuilder::size(double width, double height, const std::string& where) const {
  const auto whole = [&](double side) {
    if (!(side >= 1 && side <= 1e15) || std::floor(side) != side) {
      fail(concat("the size of ", where, " is ", width, " x ", height,
                  ", expected whole numbers of pixels"));
    }
    return static_cast<std::int64_t>(side);
  };
  return {whole(width), whole(height)};
}

std::size_t AnnotationBuilder::class_of(const std::string& name, std::int64_t order) {
  const auto [known, fresh] = classes_.emplace(name, out_.classes.size());
  if (fresh) out_.classes.push_back({name, order});
  return known->second;
}

void AnnotationBuilder::add_ring(AnnotatedImage& image, Object& object, std::vector<Point> points,
                                 Ring::Use use) {
  // GeoJSON and others write the first point once more at the end.
  if (points.size() > 1 && points.front() == points.back()) points.pop_back();
  if (points.size() < 3) {
    ++image.short_rings;
    return;
  }
  points.shrink_to_fit();
  object.rings.push_back({std::move(points), use});
}

void AnnotationBuilder::add_ellipse(Object& object, Point middle, double across, double down,
                                    double radians, Ring::Use use) {
  object.rings.push_back({{middle, {std::abs(across), std::abs(down)}, {radians, 0}}, use, true});
}

std::vector<Point> rectangle(double left, double top, double right, double bottom, double radians) {
  std::vector<Point> out{{left, top}, {right, top}, {right, bottom}, {left, bottom}};
  if (radians == 0) return out;
  const Point middle{(left + right) / 2, (top + bottom) / 2};
  for (Point& point : out) {
    const double x = point.x - middle.x;
    const double y = point.y - middle.y;
    point = {middle.x + x * std::cos(radians) - y * std::sin(radians),
             middle.y + x * std::sin(radians) + y * std::cos(radians)};
  }
  return out;
}

}  // namespace medurwkv::data
