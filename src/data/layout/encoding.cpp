#include "data/layout/encoding.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/codecs/read.h"
#include "data/layout/layout.h"
#include "data/layout/pack.h"
#include "data/layout/sets.h"

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

/// A resized or JPEG mask has at most this share of pixels between what was meant.
constexpr double soft_share = 0.06;

constexpr std::array<std::pair<MaskEncoding, const char*>, 6> encoding_names{
    {{MaskEncoding::binary, "binary"},
     {MaskEncoding::index, "index"},
     {MaskEncoding::palette, "palette"},
     {MaskEncoding::colors, "colors"},
     {MaskEncoding::one_hot, "one-hot"},
     {MaskEncoding::instances, "instances"}}};

/// Whether the values look like numbers of objects: 1 to k in each mask, with k different from mask
/// to mask and mostly one region per value. Classes rarely look like that.
bool looks_numbered(const MaskUse& use) {
  if (use.with_gaps > 0) return false;
  return use.numbered_to.size() >= 4 ||
         (use.numbered_to.size() >= 2 && 10 * use.scattered <= use.numbered);
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

bool is_gray(const Color& color) {
  return color[0] == color[1] && color[0] == color[2];
}

/// Whether all classes have gray colours, as a file of --classes may give them.
bool is_gray_table(const std::vector<ClassInfo>& given) {
  return given.size() > 1 && std::all_of(given.begin(), given.end(),
                                         [](const ClassInfo& one) { return is_gray(one.color); });
}

/// Whether each class's gray level is its index.
bool levels_are_indices(const std::vector<ClassInfo>& given) {
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].color[0] != i) return false;
  }
  return true;
}

std::optional<MaskEncoding> encoding_of_gray(const MaskUse& use,
                                             const std::vector<ClassInfo>& given) {
  const bool black_and_white = near_black_and_white(use.values) && gray_levels(use).empty() &&
                               !indices_beside_255(use.values);
  if (is_gray_table(given) && !levels_are_indices(given)) {
    const bool two = given.size() == 2 && given[0].color[0] == 0 && given[1].color[0] == 255;
    return two && (black_and_white || largest_below(use.values, 256) == 0) ? MaskEncoding::binary
                                                                           : MaskEncoding::colors;
  }
  if (indices_beside_255(use.values)) return std::nullopt;
  const std::size_t largest = largest_below(use.values, use.values.size());
  if (largest == 0) return given.size() > 2 ? MaskEncoding::index : MaskEncoding::binary;
  if (given.size() > 2 && largest < given.size()) return MaskEncoding::index;
  if (largest <= most_classes) {
    return looks_numbered(use) ? std::nullopt : std::optional(MaskEncoding::index);
  }
  if (black_and_white) return MaskEncoding::binary;
  return use.with_gaps == 0 ? std::optional(MaskEncoding::instances) : std::nullopt;
}

/// The class whose colour this is.
std::optional<std::size_t> class_of_color(const std::vector<ClassInfo>& given, const Color& color) {
  const auto found = std::find_if(given.begin(), given.end(),
                                  [&](const ClassInfo& one) { return one.color == color; });
  return found == given.end() ? std::nullopt : std::optional<std::size_t>(found - given.begin());
}

/// Coloured palettes beside files without one must agree that values are small indices.
std::optional<MaskEncoding> encoding_of_palettes(const MaskUse& use,
                                                 const std::vector<ClassInfo>& given) {
  bool known = !given.empty();
  bool in_order = true;
  for (const auto& [index, entry] : use.palette) {
    if (index == ignore_label) continue;
    const auto found = class_of_color(given, entry.first);
    known = known && found.has_value();
    in_order = in_order && found == std::size_t{index};
  }
  if (use.clash) known = known && class_of_color(given, use.clash->second).has_value();
  if (known && (use.clash || !in_order)) return MaskEncoding::colors;
  if (use.clash) return std::nullopt;
  const std::size_t most = std::max(most_classes, given.empty() ? 0 : given.size() - 1);
  const std::size_t largest = largest_below(use.indices, ignore_label);
  const bool indices = largest <= most && (largest > 0 || use.indices[ignore_label] == 0);
  const bool gray_fits =
      use.gray_files == 0 || largest_below(use.values, use.values.size()) <= most;
  return indices && gray_fits ? std::optional(MaskEncoding::palette) : std::nullopt;
}

/// Whether all colours are made of 0 and 1.
bool holds_ones(const MaskUse& use) {
  return std::all_of(use.colors.begin(), use.colors.end(), [](const auto& entry) {
    return *std::max_element(entry.first.begin(), entry.first.end()) <= 1;
  });
}

/// Whether the masks hold colours alone, each of 0 and at most one 1.
bool is_one_hot(const MaskUse& use) {
  return holds_ones(use) && largest_below(use.values, 256) == 0 && use.palette_files == 0 &&
         std::all_of(use.colors.begin(), use.colors.end(), [](const auto& entry) {
           return entry.first[0] + entry.first[1] + entry.first[2] <= 1;
         });
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

/// The gray values that matter, 0 first.
std::string levels_text(const MaskUse& use, const std::vector<int>& levels) {
  constexpr std::size_t most = 6;
  std::vector<std::string> out{"0"};
  for (std::size_t i = 0; i < levels.size() && i < most; ++i) {
    out.push_back(std::to_string(levels[i]));
  }
  if (levels.size() > most) out.emplace_back("...");
  for (std::size_t value = 255; value >= 255 - end_noise; --value) {
    if (use.values[value] == 0) continue;
    out.push_back(std::to_string(value));
    break;
  }
  return join(out, ", ");
}

Unclear why_colors(const MaskUse& use) {
  if (holds_ones(use)) {
    return {
        "the masks' three channels hold 0 and 1, with pixels that are 1 in two channels or with "
        "gray masks beside",
        "a pixel has one class: export one gray value per class, or one channel per class "
        "without overlap"};
  }
  return {
      concat("masks have colours, so channels that differ (", commonest_colors(use.colors), ")"),
      "say which class each colour is with --classes FILE (lines `name:red,green,blue`) or, "
      "where every colour is an object, --mask-encoding instances"};
}

Unclear why_palettes(const MaskUse& use) {
  if (use.clash) {
    const PaletteClash& clash = *use.clash;
    return {concat("palettes differ: the index ", int{clash.index}, " is ", color_text(clash.first),
                   " in ", clash.first_file, " and ", color_text(clash.second), " in ",
                   clash.second_file),
            "say which class each colour is with --classes FILE (lines `name:red,green,blue`) or, "
            "if the index counts and not the colour, --mask-encoding palette"};
  }
  return {"the masks' palettes are coloured and their values are not small class indices alone",
          "say what they are with --mask-encoding palette (255 is ignored) or --mask-encoding "
          "instances"};
}

Unclear why_gray(const MaskUse& use) {
  const std::vector<int> levels = gray_levels(use);
  const std::size_t largest = largest_below(use.values, use.values.size());
  if (looks_numbered(use) || (largest <= most_classes && use.with_gaps == 0)) {
    return {concat("the masks' values, 0 to ", largest, ", may be classes or numbers of objects"),
            "say which with --mask-encoding index or --mask-encoding instances"};
  }
  const bool white = largest >= 255 - end_noise;
  if (levels.empty()) {
    return {concat("the masks' values (0 to ", largest,
                   ") are neither 0 and 255 nor small class indices; many lie between, as soft "
                   "edges do"),
            white ? "say --mask-encoding binary (cut at 127 / 128), or save masks without smoothing"
                  : "say --mask-encoding instances (all above 0 is foreground), or save masks as 0 "
                    "and 255"};
  }
  const std::string what =
      concat("the masks have gray levels of their own: ", levels_text(use, levels));
  const std::string line =
      concat("a line `name:", levels.front(), ",", levels.front(), ",", levels.front(), "`");
  // Thin lines that were smoothed have many levels.
  constexpr std::size_t several = 3;
  if (white && levels.size() > several) {
    return {what, concat("if these are soft edges, say --mask-encoding binary (cut at 127 / 128); "
                         "if they are classes, --classes FILE (",
                         line, " for each level)")};
  }
  return {what,
          concat("name the classes with --classes FILE (", line,
                 " for each level) or, if all above 0 is one class, --mask-encoding instances")};
}

}  // namespace

bool mixes_ones_and_255(const MaskUse& use) {
  return indices_beside_255(use.values) && use.indices_and_white == 0 &&
         !used_between(use.values, 2, 255);
}

Unclear why_unclear(const MaskUse& use) {
  if (use.color_files > 0) return why_colors(use);
  if (use.palette_files > 0) return why_palettes(use);
  if (indices_beside_255(use.values)) {
    return {"the masks hold both small class indices and 255",
            "say which with --mask-encoding index (255 is ignored) or --mask-encoding binary (cut "
            "at 127 / 128)"};
  }
  return why_gray(use);
}

std::optional<MaskEncoding> encoding_from_values(const MaskUse& use,
                                                 const std::vector<ClassInfo>& given) {
  if (use.color_files > 0) {
    if (given.size() > 1) return MaskEncoding::colors;
    return is_one_hot(use) ? std::optional(MaskEncoding::one_hot) : std::nullopt;
  }
  return use.palette_files > 0 ? encoding_of_palettes(use, given) : encoding_of_gray(use, given);
}

std::size_t class_count(MaskEncoding encoding, const MaskUse& use,
                        std::optional<std::uint8_t> ignored) {
  if (encoding == MaskEncoding::binary || encoding == MaskEncoding::instances) return 2;
  if (encoding == MaskEncoding::one_hot) return 4;
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

namespace {

/// A pack holds class indices and says what they were made of.
Meaning meaning_of_pack(const PackFile& pack, const DatasetOptions& options) {
  if (options.encoding && *options.encoding != pack.encoding()) {
    throw_usage(concat("the pack was made of ", to_string(pack.encoding()), " masks, ",
                       to_string(*options.encoding), " was asked for; pack the folder again"));
  }
  if (!options.classes.empty() && options.classes.size() != pack.classes().size()) {
    throw_usage(concat(options.classes.size(), " classes were given, the pack holds ",
                       pack.classes().size(), " (background included)"));
  }
  return {.encoding = pack.encoding(),
          .classes = options.classes.empty() ? pack.classes() : options.classes,
          .unclear = {},
          .named_by = {}};
}

/// Classes that a set's own description gives values to: nnU-Net's dataset.json.
bool gives_values(const Layout& layout) {
  return layout.classes_file.filename() == "dataset.json";
}

}  // namespace

Meaning meaning_of(const Layout& layout, const MaskUse& use, const DatasetOptions& options) {
  if (layout.pack) return meaning_of_pack(*layout.pack, options);
  if (layout.outlines && options.encoding.value_or(MaskEncoding::index) != MaskEncoding::index) {
    throw_usage(
        concat("the masks are made of outlines, which have classes of their own; leave out "
               "--mask-encoding ",
               to_string(*options.encoding)));
  }
  Meaning out;
  std::vector<ClassInfo> given = options.classes;
  out.named_by = given.empty() ? std::string() : "what was given";
  if (given.empty() && !layout.classes.empty()) {
    given = layout.classes;
    out.named_by = layout.classes_file.string();
  }
  out.strict = options.classes.empty() && !options.encoding && gives_values(layout);
  out.encoding = options.encoding ? options.encoding : layout.encoding;
  if (out.strict && use.color_files == 0) {
    out.encoding = use.palette_files > 0 ? MaskEncoding::palette : MaskEncoding::index;
  }
  const std::size_t indices = class_count(MaskEncoding::index, use, layout.ignored);
  const std::vector<ClassInfo> published =
      given.empty() ? published_classes(layout.name, indices) : std::vector<ClassInfo>{};
  // Names without colours are no table of colours.
  const bool colorless =
      use.color_files > 0 && options.classes.empty() && !layout.classes_have_colors;
  if (!out.encoding) {
    out.encoding = encoding_from_values(use, colorless           ? std::vector<ClassInfo>{}
                                             : published.empty() ? given
                                                                 : published);
  }
  if (!out.encoding) {
    out.unclear = why_unclear(use);
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
  if (open_ended && given.empty()) given = published;
  if (!open_ended && !given.empty() && given.size() != needed) {
    throw_usage(concat(given.size(), " classes were given, ", to_string(*out.encoding),
                       " masks have ", needed, " (background included)"));
  }
  out.classes = given.empty() ? make_classes(needed, {}) : given;
  return out;
}

std::optional<int> value_without_class(const Meaning& meaning, const MaskUse& use,
                                       std::optional<std::uint8_t> ignored) {
  if (!meaning.encoding) return std::nullopt;
  const bool palette = *meaning.encoding == MaskEncoding::palette;
  if (*meaning.encoding != MaskEncoding::index && !palette) return std::nullopt;
  // Where palettes of grays are read by index their grays mean nothing.
  const bool by_index = palette && largest_below(use.gray_indices, 256) > 0;
  for (std::size_t value = meaning.classes.size(); value < use.values.size(); ++value) {
    if (ignored == value || (value == ignore_label && !meaning.strict)) continue;
    const std::int64_t indexed = palette ? use.indices[value] + use.gray_indices[value] : 0;
    if (indexed > 0 || (!by_index && use.values[value] > 0)) return static_cast<int>(value);
  }
  return std::nullopt;
}

std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names) {
  if (!names.empty() && names.size() != count) {
    throw_usage(concat(names.size(), " class names were given, the masks hold ", count,
                       " classes (background included)"));
  }
  if (const std::string wrong = wrong_class_names(names); !wrong.empty()) throw_usage(wrong);
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
