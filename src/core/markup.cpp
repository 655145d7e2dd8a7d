#include "core/markup.h"

#include <cstddef>
#include <cstdint>

#include "core/text.h"

namespace medurwkv {

namespace {

// Length of the well-formed UTF-8 sequence that `text` begins with; 0 when it does not (RFC 3629:
// no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string html_escape(std::string_view text) {
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const char c = text[0];
    if (length == 0 || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') ||
        c == 0x7f) {
      out += replacement;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

Svg::Svg(double width, double height, const About& about) {
  const std::string id = html_escape(about.id);
  // A page needs none, and may name nothing outside.
  const std::string space = about.is_file ? " xmlns=\"http://www.w3.org/2000/svg\"" : "";
  out_ = concat("<svg", space, " viewBox=\"0 0 ", width, " ", height,
                "\" role=\"img\" aria-labelledby=\"", id, "-title ", id,
                "-description\" font-family=\"sans-serif\" font-size=\"11\" "
                "fill=\"#1b1f24\">\n<title id=\"",
                id, "-title\">", html_escape(about.title), "</title>\n<desc id=\"", id,
                "-description\">", html_escape(about.description), "</desc>\n");
}

Svg& Svg::line(double x1, double y1, double x2, double y2, const std::string& attributes) {
  out_ += concat("<line x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1),
                 "\" y2=\"", fixed(y2, 1), "\" ", attributes, "/>\n");
  return *this;
}

Svg& Svg::bar(double x, double y, double width, double height, const std::string& fill) {
  out_ += concat("<rect x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" width=\"", fixed(width, 1),
                 "\" height=\"", fixed(height, 1), "\" fill=\"", fill, "\"/>\n");
  return *this;
}

Svg& Svg::text(double x, double y, const char* anchor, const std::string& text) {
  out_ += concat("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor,
                 "\">", html_escape(text), "</text>\n");
  return *this;
}

Svg& Svg::path(std::span<const std::pair<double, double>> points, const std::string& stroke) {
  out_ += concat("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"", stroke, "\" points=\"");
  for (const auto& [x, y] : points) out_ += concat(fixed(x, 1), ",", fixed(y, 1), " ");
  out_ += "\"/>\n";
  return *this;
}

std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= count ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

}  // namespace medurwkv
