#include "data/encoding.h"

#include <algorithm>
#include <cstdlib>
#include <exception>

#include "core/error.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/layout.h"
#include "data/layout_sets.h"
#include "data/pack.h"

namespace medurwkv::data {
namespace {

/// Colours that stay apart for people who do not see red or green (Okabe and Ito 2008).
constexpr std::array<Color, 7> class_colors{{{230, 159, 0},
                                             {86, 180, 233},
                                             {0, 158, 115},
                                             {240, 228, 66},
                                             {0, 114, 178},
                                             {213, 94, 0},
                                             {204, 121, 167}}};

/// Indices of classes are at most this when nobody says what the values mean.
constexpr std::size_t most_classes = 20;

/// Distinct colours that are counted; a table has fewer.
constexpr std::size_t most_colors = 256;

/// A resized or JPEG mask has at most this share of pixels between what was meant.
constexpr double soft_share = 0.06;

constexpr std::array<std::pair<MaskEncoding, const char*>, 5> encoding_names{
    {{MaskEncoding::binary, "binary"},
     {MaskEncoding::index, "index"},
     {MaskEncoding::palette, "palette"},
     {MaskEncoding::colors, "colors"},
     {MaskEncoding::instances, "instances"}}};

bool used_between(const ValueUse& use, std::size_t from, std::size_t to) {
  return std::any_of(use.begin() + static_cast<std::ptrdiff_t>(from),
                     use.begin() + static_cast<std::ptrdiff_t>(to),
                     [](std::int64_t pixels) { return pixels > 0; });
}

/// The largest value in use below `end`, 0 when there is none.
std::size_t largest_below(const ValueUse& use, std::size_t end) {
  std::size_t largest = 0;
  for (std::size_t value = 0; value < end; ++value) {
    if (use[value] > 0) largest = value;
  }
  return largest;
}

/// Objects numbered 1 to k in each mask, k not the same in all: classes are rarely like that.
bool looks_numbered(const MaskUse& use) {
  return use.with_gaps == 0 && use.numbered_to.size() >= 4;
}

/// JPEG noise lies near 0 and 255; resized masks have a few soft edges.
bool near_black_and_white(const ValueUse& use) {
  std::int64_t all = 0;
  std::int64_t between = 0;
  std::int64_t white = 0;
  for (std::size_t value = 0; value < use.size(); ++value) {
    all += use[value];
    if (value > 32 && value < 223) between += use[value];
    if (value >= 223) white += use[value];
  }
  return white >= between &&
         static_cast<double>(between) <= soft_share * static_cast<double>(all) && white > 0;
}

std::optional<MaskEncoding> encoding_of_gray(const MaskUse& use) {
  if (indices_beside_255(use.values)) return std::nullopt;
  const std::size_t largest = largest_below(use.values, use.values.size());
  if (largest == 0) return MaskEncoding::binary;  // all empty: the commonest meaning
  if (largest <= most_classes) {
    return looks_numbered(use) ? std::nullopt : std::optional(MaskEncoding::index);
  }
  if (near_black_and_white(use.values)) return MaskEncoding::binary;
  return use.with_gaps == 0 ? std::optional(MaskEncoding::instances) : std::nullopt;
}

/// Coloured palettes beside files without one must agree that values are small indices.
std::optional<MaskEncoding> encoding_of_palettes(const MaskUse& use) {
  const std::size_t largest = largest_below(use.indices, ignore_label);
  const bool indices = largest <= most_classes && (largest > 0 || use.indices[ignore_label] == 0);
  const bool gray_fits =
      use.gray_files == 0 || largest_below(use.values, use.values.size()) <= most_classes;
  return indices && gray_fits ? std::optional(MaskEncoding::palette) : std::nullopt;
}

std::string color_text(const Color& color) {
  return concat(int{color[0]}, ",", int{color[1]}, ",", int{color[2]});
}

/// The commonest colours, most pixels first.
std::string commonest_colors(const std::map<Color, std::int64_t>& colors) {
  std::vector<std::pair<std::int64_t, Color>> order;
  order.reserve(colors.size());
  for (const auto& [color, pixels] : colors) order.emplace_back(pixels, color);
  std::sort(order.rbegin(), order.rend());
  std::string out;
  for (std::size_t i = 0; i < order.size() && i < 6; ++i) {
    out += concat(i == 0 ? "" : "; ", color_text(order[i].second));
  }
  return out + (order.size() > 6 ? "; ..." : "");
}

int distance(const Color& a, const Color& b) {
  int out = 0;
  for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(int{a[i]} - int{b[i]}));
  return out;
}

Color color_at(const MaskPixels& mask, std::size_t pixel) {
  if (!mask.colors.empty()) {
    return {mask.colors[3 * pixel], mask.colors[3 * pixel + 1], mask.colors[3 * pixel + 2]};
  }
  if (!mask.palette.empty()) return mask.palette[mask.indices[pixel]];
  return {mask.values[pixel], mask.values[pixel], mask.values[pixel]};
}

/// The class of the nearest colour of the table. In a lossless file it must be near; in a JPEG a
/// few pixels at edges may be far.
LabelMap labels_from_colors(const std::string& file, const MaskPixels& mask,
                            const std::vector<ClassInfo>& classes) {
  constexpr int near = 32;
  LabelMap out{mask.width, mask.height, {}};
  const auto pixels = static_cast<std::size_t>(mask.width * mask.height);
  out.labels.resize(pixels);
  std::map<Color, std::pair<std::uint8_t, int>> known;
  std::size_t far = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    const Color color = color_at(mask, i);
    auto found = known.find(color);
    if (found == known.end()) {
      std::pair<std::uint8_t, int> best{0, 256};
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const int away = distance(color, classes[c].color);
        if (away < best.second) best = {static_cast<std::uint8_t>(c), away};
      }
      found = known.emplace(color, best).first;
    }
    out.labels[i] = found->second.first;
    if (found->second.second <= near) continue;
    ++far;
    if (mask.lossy && static_cast<double>(far) <= soft_share * static_cast<double>(pixels))
      continue;
    const auto width = static_cast<std::size_t>(mask.width);
    throw_failure(concat(
        file, ": the colour ", color_text(color), " at pixel ", i % width, ", ", i / width,
        " is no class's; known: ",
        [&] {
          std::vector<std::string> names;
          for (const ClassInfo& one : classes) {
            names.push_back(one.name + " " + color_text(one.color));
          }
          return join(names, ", ");
        }(),
        "; add it to the file of --classes"));
  }
  return out;
}

}  // namespace

void MaskUse::add(const MaskUse& other) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] += other.values[i];
    indices[i] += other.indices[i];
    gray_indices[i] += other.gray_indices[i];
  }
  for (const auto& [color, pixels] : other.colors) {
    if (colors.size() < most_colors || colors.contains(color)) colors[color] += pixels;
  }
  gray_files += other.gray_files;
  palette_files += other.palette_files;
  color_files += other.color_files;
  numbered_to.insert(other.numbered_to.begin(), other.numbered_to.end());
  with_gaps += other.with_gaps;
}

MaskUse use_of(const MaskPixels& mask) {
  MaskUse out;
  if (!mask.colors.empty()) {
    out.color_files = 1;
    const auto pixels = static_cast<std::size_t>(mask.width * mask.height);
    for (std::size_t i = 0; i < pixels; ++i) {
      const Color color = color_at(mask, i);
      if (out.colors.size() < most_colors || out.colors.contains(color)) ++out.colors[color];
    }
    return out;
  }
  (mask.colored_palette() ? out.palette_files : out.gray_files) = 1;
  ValueUse& use = mask.colored_palette() ? out.indices : out.values;
  for (const std::uint8_t value : mask.values) ++use[value];
  if (!mask.colored_palette()) {
    for (const std::uint8_t index : mask.indices) ++out.gray_indices[index];
  }
  const std::size_t largest = largest_below(use, use.size());
  if (largest == 0) return out;
  const bool gap = std::any_of(use.begin() + 1, use.begin() + static_cast<std::ptrdiff_t>(largest),
                               [](std::int64_t pixels) { return pixels == 0; });
  if (gap) {
    out.with_gaps = 1;
  } else {
    out.numbered_to.insert(static_cast<int>(largest));
  }
  return out;
}

MaskUse count_values(const std::vector<Case>& cases) {
  std::vector<MaskUse> uses(cases.size());
  std::vector<std::exception_ptr> errors(cases.size());
  parallel_for(static_cast<std::int64_t>(cases.size()), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        for (const ImageSource& mask : cases[i].masks) uses[i].add(use_of(read_mask(mask)));
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  MaskUse sum;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (errors[i]) std::rethrow_exception(errors[i]);
    sum.add(uses[i]);
  }
  return sum;
}

bool indices_beside_255(const ValueUse& use) {
  return use[ignore_label] > 0 && used_between(use, 1, most_classes + 1) &&
         !used_between(use, most_classes + 1, 255);
}

std::string unclear_reason(const MaskUse& use) {
  if (use.color_files > 0) {
    return concat(
        "masks have colours (", commonest_colors(use.colors),
        "); say which class each is with --classes FILE (lines `name:red,green,blue`) or, "
        "where every colour is an object, --mask-encoding instances");
  }
  if (use.palette_files > 0) {
    return "the masks' palettes are coloured and their values are not small class indices alone; "
           "say what they are with --mask-encoding palette (255 is ignored) or --mask-encoding "
           "instances";
  }
  if (indices_beside_255(use.values)) {
    return "the masks hold both small class indices and 255; say which with --mask-encoding index "
           "(255 is ignored) or --mask-encoding binary (cut at 127 / 128)";
  }
  if (looks_numbered(use) || use.with_gaps == 0) {
    return "the masks' values may be class indices or numbers of objects; say which with "
           "--mask-encoding index or --mask-encoding instances";
  }
  return "the masks' values are neither 0 and 255 nor small class indices; say what they are with "
         "--mask-encoding binary (cut at 127 / 128), --mask-encoding index or --mask-encoding "
         "instances (all above 0 is foreground)";
}

std::optional<MaskEncoding> encoding_from_values(const MaskUse& use,
                                                 const std::vector<ClassInfo>& table) {
  if (use.color_files > 0) {
    return table.size() > 1 ? std::optional(MaskEncoding::colors) : std::nullopt;
  }
  return use.palette_files > 0 ? encoding_of_palettes(use) : encoding_of_gray(use);
}

std::size_t class_count(MaskEncoding encoding, const MaskUse& use,
                        std::optional<std::uint8_t> ignored) {
  if (encoding == MaskEncoding::binary || encoding == MaskEncoding::instances) return 2;
  const std::size_t end = ignored.value_or(ignore_label);
  const std::size_t gray_indices = largest_below(use.gray_indices, end);
  const bool indices_count = encoding == MaskEncoding::palette && gray_indices > 0;
  const std::size_t largest =
      std::max(largest_below(use.indices, end),
               indices_count ? gray_indices : largest_below(use.values, end));
  return std::max<std::size_t>(1, largest) + 1;
}

const char* to_string(MaskEncoding encoding) {
  for (const auto& [value, name] : encoding_names) {
    if (value == encoding) return name;
  }
  throw_internal("unknown mask encoding");
}

std::string mask_encoding_names() {
  std::vector<std::string> names;
  for (const auto& [unused, name] : encoding_names) names.emplace_back(name);
  return join(names, ", ");
}

MaskEncoding mask_encoding_from(const std::string& name) {
  for (const auto& [value, known] : encoding_names) {
    if (name == known) return value;
  }
  throw_usage(concat("mask encoding '", name, "' is not known; known: ", mask_encoding_names()));
}

LabelMap labels_from(const std::string& file, MaskEncoding encoding, const MaskPixels& mask,
                     const std::vector<ClassInfo>& classes) {
  if (encoding == MaskEncoding::colors) return labels_from_colors(file, mask, classes);
  LabelMap out{mask.width, mask.height, {}};
  if (encoding == MaskEncoding::instances) {
    out.labels.resize(static_cast<std::size_t>(mask.width * mask.height));
    for (std::size_t i = 0; i < out.labels.size(); ++i) {
      const bool object =
          mask.colors.empty() ? mask.values[i] != 0 : color_at(mask, i) != Color{0, 0, 0};
      out.labels[i] = object ? 1 : 0;
    }
    return out;
  }
  if (!mask.colors.empty() || (encoding == MaskEncoding::binary && mask.colored_palette())) {
    throw_failure(concat(file, ": has colours, the masks of the set were taken for ",
                         to_string(encoding), "; see --mask-encoding palette, colors, instances"));
  }
  const bool indices = encoding == MaskEncoding::palette && !mask.indices.empty();
  out.labels = indices ? mask.indices : mask.values;
  if (encoding == MaskEncoding::binary) {
    for (std::uint8_t& label : out.labels) label = label > 127 ? 1 : 0;
  }
  return out;
}

namespace {

/// A pack holds class indices, made by what it says.
Meaning meaning_of_pack(const PackFile& pack, const DatasetOptions& options) {
  if (options.encoding && *options.encoding != pack.encoding()) {
    throw_usage(concat("the pack was made of ", to_string(pack.encoding()), " masks, ",
                       to_string(*options.encoding), " was asked for; pack the folder again"));
  }
  if (!options.classes.empty() && options.classes.size() != pack.classes().size()) {
    throw_usage(concat(options.classes.size(), " classes were given, the pack holds ",
                       pack.classes().size(), " (background included)"));
  }
  return {pack.encoding(), options.classes.empty() ? pack.classes() : options.classes, {}};
}

}  // namespace

Meaning meaning_of(const Layout& layout, const MaskUse& use, const DatasetOptions& options) {
  if (layout.pack) return meaning_of_pack(*layout.pack, options);
  std::vector<ClassInfo> given = options.classes.empty() ? layout.classes : options.classes;
  Meaning out;
  out.encoding = options.encoding ? options.encoding : layout.encoding;
  if (!out.encoding) out.encoding = encoding_from_values(use, given);
  if (!out.encoding) {
    out.unclear = unclear_reason(use);
    return out;
  }
  if (*out.encoding == MaskEncoding::colors) {
    if (given.size() < 2) {
      throw_usage("masks in colours need --classes FILE: the colour of each class");
    }
    out.classes = given;
    return out;
  }
  const std::size_t needed =
      layout.by_folder ? layout.classes.size() : class_count(*out.encoding, use, layout.ignored);
  const bool open_ended =
      *out.encoding == MaskEncoding::index || *out.encoding == MaskEncoding::palette;
  if (given.empty() && open_ended) given = published_classes(layout.name, needed);
  if (!given.empty() && (open_ended ? given.size() < needed : given.size() != needed)) {
    throw_usage(concat(given.size(), " classes were given, the masks hold ", needed,
                       " (background included)"));
  }
  out.classes = given.empty() ? make_classes(needed, {}) : given;
  return out;
}

std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names) {
  if (!names.empty() && names.size() != count) {
    throw_usage(concat(names.size(), " class names were given, the masks hold ", count,
                       " classes (background included)"));
  }
  if (!std::all_of(names.begin(), names.end(), is_utf8)) throw_usage("a class name is not UTF-8");
  std::vector<ClassInfo> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string standard = i == 0       ? std::string("background")
                                 : count == 2 ? std::string("foreground")
                                              : concat("class ", i);
    out.push_back({names.empty() ? standard : names[i],
                   i == 0 ? Color{} : class_colors[(i - 1) % class_colors.size()]});
  }
  return out;
}

}  // namespace medurwkv::data
