// LabelMe: a JSON file per image, its shapes in the order in which they were drawn. Source:
// labelme/utils/shape.py of labelme 5.
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/codecs/codecs.h"
#include "data/polygons/parsers.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// RFC 4648, with or without its padding. Throws Error without the file's name.
std::string from_base64(std::string_view text) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) throw_failure("its mask is not base64");
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>((bits >> held) & 0xff);
  }
  return out;
}

class LabelMe {
 public:
  explicit LabelMe(const fs::path& file)
      : file_(file), builder_(file, to_string(AnnotationKind::labelme)) {}

  AnnotationFile parse(std::string_view text) {
    json about;
    const auto lists = read_json_items(file_, text, [&](JsonItem&& item) {
      if (item.list == "shapes" && item.key.empty()) {
        add(item.value, concat("shape ", ++shapes_));
      } else if (item.list != "imageData") {
        about[item.list] = std::move(item.value);
      }
    });
    if (!lists.contains("shapes") || about.contains("shapes")) {
      builder_.fail("has no list of shapes");
    }
    image_.name = text_member(about, "imagePath");
    const json& width = member(about, "imageWidth");
    const json& height = member(about, "imageHeight");
    if (width.is_number() && height.is_number()) {
      image_.size = builder_.size(width.get<double>(), height.get<double>(), "the image");
    }
    builder_.out().by_stem = true;
    builder_.out().images.push_back(std::move(image_));
    return std::move(builder_).take();
  }

 private:
  void add(const json& shape, const std::string& where) {
    const std::string label = text_member(shape, "label");
    if (label.empty()) builder_.fail(concat(where, " has no label"));
    std::vector<Point> points;
    for (const json& point : member(shape, "points")) {
      if (!point.is_array() || point.size() != 2) builder_.fail(concat(where, " has a bad point"));
      const std::string coordinate = concat("a coordinate of ", where);
      points.push_back(
          {builder_.number(point[0], coordinate), builder_.number(point[1], coordinate)});
    }
    const std::string given = text_member(shape, "shape_type");
    const std::string type = given.empty() ? "polygon" : given;
    if (type == "point" || type == "points" || type == "line" || type == "linestrip") {
      builder_.leave_out(type);
      return;
    }
    Object object;
    // labelme's own scripts give these names to what is not to be learned.
    object.ignored = label == "__ignore__";
    object.class_index =
        object.ignored ? 0 : builder_.class_of(label == "_background_" ? "background" : label);
    outline(type, shape, where, std::move(points), object);
    image_.objects.push_back(std::move(object));
  }

  void outline(const std::string& type, const json& shape, const std::string& where,
               std::vector<Point> points, Object& object) {
    if (type == "polygon") {
      AnnotationBuilder::add_ring(image_, object, std::move(points));
      return;
    }
    const bool four = type == "rectangle" && points.size() == 4;
    if (four) {
      AnnotationBuilder::add_ring(image_, object, std::move(points));
      return;
    }
    if (points.size() != 2) {
      builder_.fail(
          concat(where, " (", shown(type), ") has ", points.size(), " points, expected 2"));
    }
    const auto [a, b] = std::pair(points[0], points[1]);
    if (type == "rectangle") {
      AnnotationBuilder::add_ring(image_, object, rectangle(a.x, a.y, b.x, b.y));
    } else if (type == "circle") {
      const double radius = std::hypot(b.x - a.x, b.y - a.y);
      AnnotationBuilder::add_ellipse(object, a, radius, radius);
    } else if (type == "mask") {
      add_mask(shape, where, a, b, object);
    } else {
      builder_.fail(concat(where, " is of the type ", shown(type), ", which is not known"));
    }
  }

  /// A PNG of the rectangle's pixels from the first corner to the second, both included.
  void add_mask(const json& shape, const std::string& where, Point first, Point last,
                Object& object) {
    const std::array<double, 4> ends{std::trunc(first.x), std::trunc(first.y), std::trunc(last.x),
                                     std::trunc(last.y)};
    const std::string name = concat(file_.string(), ": the mask of ", where);
    try {
      const std::string bytes = from_base64(text_member(shape, "mask"));
      const ImageSize size = image_size(name, bytes);
      const auto width = static_cast<std::int64_t>(ends[2] - ends[0]) + 1;
      const auto height = static_cast<std::int64_t>(ends[3] - ends[1]) + 1;
      if (size != ImageSize{width, height}) {
        throw_failure(concat(name, " is ", size.width, " x ", size.height, ", its corners give ",
                             width, " x ", height));
      }
      const Image image = decode_image(name, bytes).image;
      if (image.channels != 1 || image.type != SampleType::u8) {
        throw_failure(concat(name, " is no gray picture of 8 bits"));
      }
      object.runs.push_back(runs_of(static_cast<std::int64_t>(ends[0]),
                                    static_cast<std::int64_t>(ends[1]), size, image.bytes));
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(file_.string())) throw;
      builder_.fail(concat(where, ": ", what));
    }
  }

  const fs::path& file_;
  AnnotationBuilder builder_;
  AnnotatedImage image_;
  std::int64_t shapes_ = 0;
};

}  // namespace

AnnotationFile parse_labelme(const fs::path& file, std::string_view text) {
  return LabelMe(file).parse(text);
}

}  // namespace medurwkv::data
