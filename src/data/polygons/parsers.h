// What the parsers of annotation files share; inside data/polygons. Relies on
// data/polygons/annotations.h.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/polygons/annotations.h"

namespace medurwkv::data {

/// Collects what a file says.
class AnnotationBuilder {
 public:
  AnnotationBuilder(const std::filesystem::path& file, const char* format);

  /// Throws Error naming the file.
  [[noreturn]] void fail(const std::string& what) const;
  /// A coordinate or a length in pixels; `where` names it in the message. Throws Error for one that
  /// is not finite or too far away.
  [[nodiscard]] double checked(double value, const std::string& where) const;
  [[nodiscard]] double number(const nlohmann::json& value, const std::string& where) const;
  /// The number that a text is. Throws Error for anything else.
  [[nodiscard]] double number_in(std::string_view text, const std::string& where) const;
  [[nodiscard]] ImageSize size(double width, double height, const std::string& where) const;

  /// The index of a class, which is made where it is new.
  std::size_t class_of(const std::string& name, std::int64_t order = 0);
  void leave_out(const std::string& what) { ++out_.left_out[what]; }
  /// Adds the outline, or counts it where it has fewer than three points.
  static void add_ring(AnnotatedImage& image, Object& object, std::vector<Point> points,
                       Ring::Use use = Ring::Use::part);

  static void add_ellipse(Object& object, Point middle, double across, double down,
                          double radians = 0, Ring::Use use = Ring::Use::part);

  AnnotationFile& out() { return out_; }
  AnnotationFile take() && { return std::move(out_); }

 private:
  std::string name_;
  AnnotationFile out_;
  std::unordered_map<std::string, std::size_t> classes_;
};

/// Corners of a rectangle that is turned about its middle by `radians`, clockwise as seen.
std::vector<Point> rectangle(double left, double top, double right, double bottom,
                             double radians = 0);
/// Run lengths of COCO: a text of five bits a byte, each number but the first three less the one
/// before the last. Throws Error without a file's name.
std::vector<std::uint32_t> coco_counts(std::string_view text);
/// Throws Error without a file's name unless the counts fill the rectangle.
void check_runs(const Runs& runs);
/// Pixels that are not 0, row by row.
Runs runs_of(std::int64_t left, std::int64_t top, ImageSize size,
             const std::vector<unsigned char>& pixels);

/// A JSON text as a whole. Throws Error naming the file for what is no JSON, is nested deeper than
/// 64 or takes more memory than is left.
nlohmann::json read_json(const std::filesystem::path& file, std::string_view text);

/// A member of the text's object, where that is a number or a text; else each element of it, with
/// its key where it has one. Of an array at the top each element, of the list "".
struct JsonItem {
  std::string list;
  std::string key;
  nlohmann::json value;
};
/// Gives the items one by one, so that only one of them is in memory. The bounds of read_json are
/// those of an item. Returns the names of all members. Throws Error as read_json, and for two
/// members of a name.
std::set<std::string> read_json_items(const std::filesystem::path& file, std::string_view text,
                                      const std::function<void(JsonItem&&)>& take);

/// Members of a JSON object: null where there is none.
const nlohmann::json& member(const nlohmann::json& object, const char* name);
std::string text_member(const nlohmann::json& object, const char* name);

/// Elements of an XML text.
class XmlElements {
 public:
  using Attributes = std::map<std::string, std::string, std::less<>>;
  XmlElements() = default;
  XmlElements(const XmlElements&) = delete;
  XmlElements& operator=(const XmlElements&) = delete;
  XmlElements(XmlElements&&) = delete;
  XmlElements& operator=(XmlElements&&) = delete;
  virtual ~XmlElements() = default;
  /// `above`: the names of the elements that hold this one.
  virtual void begin(const std::vector<std::string>& above, const std::string& name,
                     const Attributes& attributes) = 0;
  /// The text directly in the element.
  virtual void end(const std::vector<std::string>& above, const std::string& name,
                   const std::string& text) = 0;
};
/// Throws Error naming the file for what is no XML, for a document type (and so for entities), and
/// for elements nested deeper than 64; and what `elements` throws.
void read_xml(const std::filesystem::path& file, std::string_view bytes, XmlElements& elements);

AnnotationFile parse_coco(const std::filesystem::path& file, std::string_view text);
AnnotationFile parse_labelme(const std::filesystem::path& file, std::string_view text);
AnnotationFile parse_via(const std::filesystem::path& file, std::string_view text);
AnnotationFile parse_geojson(const std::filesystem::path& file, std::string_view text);
AnnotationFile parse_cvat(const std::filesystem::path& file, std::string_view text);
AnnotationFile parse_imagescope(const std::filesystem::path& file, std::string_view text);

}  // namespace medurwkv::data
