// What the values in masks mean, decided over all masks of a set. Relies on data/codecs.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/codecs.h"
#include "data/dataset.h"

namespace medurwkv::data {

/// Pixels per gray value or palette index.
using ValueUse = std::array<std::int64_t, 256>;

/// What one mask, or all of a set, holds.
struct MaskUse {
  ValueUse values{};        ///< of files without colours
  ValueUse indices{};       ///< of files with a coloured palette
  ValueUse gray_indices{};  ///< of files with a palette of grays, whose values are counted too
  std::map<Color, std::int64_t> colors;  ///< pixels per colour of colour files, the first 256 met
  std::int64_t gray_files = 0, palette_files = 0, color_files = 0;
  /// Files without colours whose values are 0 and 1 to k without a gap, as numbered objects are,
  /// each k that occurred; and files with a gap.
  std::set<int> numbered_to;
  std::int64_t with_gaps = 0;

  void add(const MaskUse& other);
};

MaskUse use_of(const MaskPixels& mask);

/// Reads every mask of every case (a field of view is none). Throws the first Error by the order of
/// cases.
MaskUse count_values(const std::vector<Case>& cases);

/// None when the masks fit no encoding or more than one (unclear_reason says which). Small values
/// (up to 20) are indices; values near 0 and 255 are binary, with up to 6 % between them as resized
/// JPEG masks have; coloured palettes are palette; colours need a `table` of classes; values beyond
/// 20 that every mask uses from 1 without a gap are instances. Unclear are indices beside 255
/// (ignored, or two encodings mixed) and small values that look like numbers of objects.
std::optional<MaskEncoding> encoding_from_values(const MaskUse& use,
                                                 const std::vector<ClassInfo>& table = {});

/// Whether the values are 255 and class indices (1 to 20) and nothing in between.
bool indices_beside_255(const ValueUse& use);

/// Why encoding_from_values has none, and what may be meant: choices of --mask-encoding.
std::string unclear_reason(const MaskUse& use);

/// Classes, background included, that the values below `ignored` (255 where none) need. For
/// `colors` see the table.
std::size_t class_count(MaskEncoding encoding, const MaskUse& use,
                        std::optional<std::uint8_t> ignored = {});

const char* to_string(MaskEncoding encoding);
/// Throws a usage Error.
MaskEncoding mask_encoding_from(const std::string& name);
/// All names, for messages and help.
std::string mask_encoding_names();

/// Class index per pixel. Throws Error naming `file` for colours where the encoding has none, and
/// for a colour that is no class.
LabelMap labels_from(const std::string& file, MaskEncoding encoding, const MaskPixels& mask,
                     const std::vector<ClassInfo>& classes);

struct Layout;

/// What all masks of a set mean.
struct Meaning {
  std::optional<MaskEncoding> encoding;  ///< none where it cannot be told: `unclear` says why
  std::vector<ClassInfo> classes;
  std::string unclear;
};

/// By the options, else by what the set says itself, else by the values. Throws a usage Error when
/// classes are given that the masks do not fit.
Meaning meaning_of(const Layout& layout, const MaskUse& use, const DatasetOptions& options);

/// Names (given, or background and foreground / class 1, ...) and colours. Throws a usage Error
/// when the number of names differs.
std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names);

}  // namespace medurwkv::data
