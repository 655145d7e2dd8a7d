// Masks' pixels as class indices, by each encoding.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "data/layout/encoding.h"

namespace medurwkv::data {
namespace {

Color color_at(const MaskPixels& mask, std::size_t pixel) {
  if (!mask.colors.empty()) {
    return {mask.colors[3 * pixel], mask.colors[3 * pixel + 1], mask.colors[3 * pixel + 2]};
  }
  if (!mask.palette.empty()) return mask.palette[mask.indices[pixel]];
  return {mask.values[pixel], mask.values[pixel], mask.values[pixel]};
}

std::string color_text(const Color& color) {
  return concat(int{color[0]}, ",", int{color[1]}, ",", int{color[2]});
}

int distance(const Color& a, const Color& b) {
  int out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(int{a[i]} - int{b[i]}));
  return out;
}

/// Whether the colour is a mixture of these two, as smoothing makes it at an edge.
bool lies_between(const Color& color, const Color& a, const Color& b) {
  constexpr double tolerance = 16;
  double along = 0;
  double length = 0;
  for (std::size_t i = 0; i < color.size(); ++i) {
    const double step = static_cast<double>(b[i]) - a[i];
    along += step * (static_cast<double>(color[i]) - a[i]);
    length += step * step;
  }
  const double share = std::clamp(along / std::max(length, 1.0), 0.0, 1.0);
  for (std::size_t i = 0; i < color.size(); ++i) {
    const double mixed = a[i] + share * (static_cast<double>(b[i]) - a[i]);
    if (std::abs(color[i] - mixed) > tolerance) return false;
  }
  return true;
}

/// Colours of a mask by the classes of a table.
class ColorTable {
 public:
  explicit ColorTable(const std::vector<ClassInfo>& classes) : classes_(classes) {
    for (std::size_t a = 0; a < classes.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        near_ = std::min(near_, distance(classes[a].color, classes[b].color) / 2);
      }
    }
  }

  struct Match {
    std::uint8_t label = 0;
    bool near = false;     ///< the class's colour, within the noise of a JPEG
    bool between = false;  ///< a mixture of two classes' colours
  };

  const Match& match(const Color& color) {
    const auto known = matches_.find(color);
    if (known != matches_.end()) return known->second;
    Match out;
    int best = 256;
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      const int away = distance(color, classes_[c].color);
      if (away < best) out.label = static_cast<std::uint8_t>(c);
      best = std::min(best, away);
    }
    out.near = best <= near_;
    for (std::size_t a = 0; a < classes_.size() && !out.near; ++a) {
      for (std::size_t b = 0; b < a && !out.between; ++b) {
        out.between = lies_between(color, classes_[a].color, classes_[b].color);
      }
    }
    return matches_.emplace(color, out).first->second;
  }

  [[nodiscard]] std::string text() const {
    std::vector<std::string> names;
    for (const ClassInfo& one : classes_) names.push_back(one.name + " " + color_text(one.color));
    return join(names, ", ");
  }

 private:
  const std::vector<ClassInfo>& classes_;
  int near_ = 32;
  std::map<Color, Match> matches_;
};

/// Whether the pixel and its right and lower neighbours have one colour, as inside a patch.
bool is_inside(const MaskPixels& mask, std::size_t pixel) {
  const auto width = static_cast<std::size_t>(mask.width);
  const auto height = static_cast<std::size_t>(mask.height);
  if (pixel % width + 1 >= width || pixel / width + 1 >= height) return false;
  const Color color = color_at(mask, pixel);
  return color_at(mask, pixel + 1) == color && color_at(mask, pixel + width) == color &&
         color_at(mask, pixel + width + 1) == color;
}

std::string place_of_pixel(const MaskPixels& mask, std::size_t pixel) {
  const auto width = static_cast<std::size_t>(mask.width);
  return concat(pixel % width, ", ", pixel / width);
}

/// The class of the nearest colour. A colour far from all of them is a soft edge where it is a
/// mixture of two and forms no patches; in a JPEG any far colour may stand at an edge.
LabelMap labels_from_colors(const std::string& file, const MaskPixels& mask,
                            const std::vector<ClassInfo>& classes) {
  constexpr double lossy_share = 0.06;
  constexpr double soft_share = 0.25;
  constexpr std::int64_t patch = 4;
  ColorTable table(classes);
  LabelMap out{mask.width, mask.height, {}};
  const auto pixels = static_cast<std::size_t>(mask.width * mask.height);
  out.labels.resize(pixels);
  std::size_t far = 0;
  std::map<Color, std::int64_t> inside;
  for (std::size_t i = 0; i < pixels; ++i) {
    const Color color = color_at(mask, i);
    const ColorTable::Match& match = table.match(color);
    out.labels[i] = match.label;
    if (match.near) continue;
    if (!mask.indices.empty() && mask.indices[i] == ignore_label) {
      out.labels[i] = ignore_label;
      continue;
    }
    ++far;
    const double most = mask.lossy ? lossy_share : soft_share;
    const bool few = static_cast<double>(far) <= most * static_cast<double>(pixels);
    const bool soft =
        mask.lossy || (match.between && !(is_inside(mask, i) && ++inside[color] >= patch));
    if (soft && few) continue;
    if (soft && !mask.lossy) {
      throw_failure(concat(file,
                           ": more than a quarter of its pixels are mixtures of the classes' "
                           "colours, as ",
                           color_text(color), " at pixel ", place_of_pixel(mask, i),
                           "; save masks without smoothing"));
    }
    throw_failure(concat(file, ": the colour ", color_text(color), " at pixel ",
                         place_of_pixel(mask, i), " is not the colour of a class; known: ",
                         table.text(), "; add it to the file of --classes"));
  }
  return out;
}

/// The channel that is not 0 is the class, from 1.
LabelMap labels_from_one_hot(const std::string& file, const MaskPixels& mask) {
  LabelMap out{mask.width, mask.height, {}};
  const auto pixels = static_cast<std::size_t>(mask.width * mask.height);
  out.labels.assign(pixels, 0);
  for (std::size_t i = 0; i < pixels; ++i) {
    const Color color = color_at(mask, i);
    for (std::size_t c = 0; c < color.size(); ++c) {
      if (color[c] == 0) continue;
      if (out.labels[i] != 0) {
        throw_failure(concat(file, ": pixel ", place_of_pixel(mask, i), " is 1 in the channels ",
                             int{out.labels[i]}, " and ", c + 1,
                             "; a pixel has one class, so export one gray value per class"));
      }
      out.labels[i] = static_cast<std::uint8_t>(c + 1);
    }
  }
  return out;
}

LabelMap labels_of_objects(const MaskPixels& mask) {
  LabelMap out{mask.width, mask.height, {}};
  out.labels.resize(static_cast<std::size_t>(mask.width * mask.height));
  for (std::size_t i = 0; i < out.labels.size(); ++i) {
    const bool object =
        mask.colors.empty() ? mask.values[i] != 0 : color_at(mask, i) != Color{0, 0, 0};
    out.labels[i] = object ? 1 : 0;
  }
  return out;
}

}  // namespace

LabelMap labels_from(const std::string& file, MaskEncoding encoding, const MaskPixels& mask,
                     const std::vector<ClassInfo>& classes) {
  if (encoding == MaskEncoding::colors) return labels_from_colors(file, mask, classes);
  if (encoding == MaskEncoding::instances) return labels_of_objects(mask);
  const bool gray = mask.colors.empty() && !mask.colored_palette();
  if (encoding == MaskEncoding::one_hot) {
    const bool black =
        gray && std::all_of(mask.values.begin(), mask.values.end(), [](auto v) { return v == 0; });
    if (!mask.colors.empty() || black) return labels_from_one_hot(file, mask);
    throw_failure(
        concat(file,
               ": has one channel, but the set's masks have one channel per class (one-hot); "
               "export it like the others"));
  }
  if (!mask.colors.empty() || (encoding == MaskEncoding::binary && !gray)) {
    throw_failure(concat(file, ": has colours, but the set's masks were read as ",
                         to_string(encoding), "; see --mask-encoding palette, colors, instances"));
  }
  // 16-bit values above 255 became shades: neither white nor a class index can be told from these.
  const bool dark = encoding == MaskEncoding::binary && mask.largest > 255 && mask.largest < 4096;
  if (dark || (encoding == MaskEncoding::index && mask.largest > 255)) {
    throw_failure(concat(
        file, ": holds the value ", mask.largest, " of 16 bits, ",
        dark ? "which is almost black (65535 is white)" : "which is not a class index (0 to 254)",
        "; see --mask-encoding instances, where every value above 0 is foreground"));
  }
  LabelMap out{mask.width, mask.height, {}};
  const bool indices = encoding == MaskEncoding::palette && !mask.indices.empty();
  out.labels = indices ? mask.indices : mask.values;
  if (encoding == MaskEncoding::binary) {
    for (std::uint8_t& label : out.labels) label = label > 127 ? 1 : 0;
  }
  return out;
}

}  // namespace medurwkv::data
