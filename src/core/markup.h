// Text in HTML and SVG, and SVG pictures element by element. Relies on core/text.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace medurwkv {

/// Text made safe between tags and in double-quoted attributes. Bytes that are not UTF-8 and
/// control characters become U+FFFD, so that the page is always valid UTF-8.
std::string html_escape(std::string_view text);

/// An SVG picture that scales with what holds it. Coordinates are in units of its own size, written
/// with one digit.
class Svg {
 public:
  struct About {
    std::string id;           ///< distinct for each on a page
    std::string title;        ///< what it is
    std::string description;  ///< what it shows, for readers without it
    bool is_file = false;     ///< else a part of a page
  };
  Svg(double width, double height, const About& about);

  /// `attributes` are SVG: "stroke=\"#1b1f24\"".
  Svg& line(double x1, double y1, double x2, double y2, const std::string& attributes);
  Svg& bar(double x, double y, double width, double height, const std::string& fill);
  /// `anchor`: start, middle or end.
  Svg& text(double x, double y, const char* anchor, const std::string& text);
  Svg& path(std::span<const std::pair<double, double>> points, const std::string& stroke);
  [[nodiscard]] std::string str() const { return out_ + "</svg>\n"; }

 private:
  std::string out_;
};

/// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);

}  // namespace medurwkv
