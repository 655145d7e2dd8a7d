// What the values in masks mean, decided over all masks of a set, and label maps made by it. Relies
// on data/layout/mask_use.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/codecs/codecs.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/mask_use.h"

namespace medurwkv::data {

/// None when the masks fit no encoding or more than one (why_unclear says which). `given`: the
/// set's classes where somebody names them, background first; empty where nobody does.
/// - Values from 0 to 20, or to the last class given, are indices. Unclear are those that look like
///   numbers of objects where no classes are given.
/// - Values near 0 and 255 are binary, with at most 6 % of soft edges between them. A gray level of
///   its own between them is unclear, whatever its share.
/// - Gray levels that a table of grays names are colors.
/// - Values beyond 20 that every mask uses from 1 without a gap are instances.
/// - Coloured palettes are palette where their files agree; where they do not, or where a table
///   orders the colours in another way, they are colors.
/// - Colours need a table. Channels of 0 and 1, one of them 1 at most, are one-hot.
/// Unclear are small values beside 255: ignored pixels, or two encodings mixed.
std::optional<MaskEncoding> encoding_from_values(const MaskUse& use,
                                                 const std::vector<ClassInfo>& given = {});

/// Why encoding_from_values gives none, and what can be done.
struct Unclear {
  std::string what;
  std::string remedy;  ///< every option in it opens the set
};
Unclear why_unclear(const MaskUse& use);

/// Masks of 0 and 1 beside masks of 0 and 255, no mask with both: two encodings of one class.
bool mixes_ones_and_255(const MaskUse& use);

/// Classes, background included, that the values below `ignored` (255 where none) need. For
/// `colors` see the table.
std::size_t class_count(MaskEncoding encoding, const MaskUse& use,
                        std::optional<std::uint8_t> ignored = {});

const char* to_string(MaskEncoding encoding);
/// Throws a usage Error.
MaskEncoding mask_encoding_from(const std::string& name);
/// All names, for messages and help.
std::string mask_encoding_names();

/// Class index per pixel. Throws Error naming `file` for colours where the encoding has none, for a
/// colour that is no class, and for one-hot pixels of two classes.
LabelMap labels_from(const std::string& file, MaskEncoding encoding, const MaskPixels& mask,
                     const std::vector<ClassInfo>& classes);

struct Layout;

/// What all masks of a set mean.
struct Meaning {
  std::optional<MaskEncoding> encoding;  ///< none where it cannot be told: `unclear` says why
  std::vector<ClassInfo> classes;
  Unclear unclear;
  /// Who names the classes, for messages: dataset.json's path, "the option"; empty where nobody.
  std::string named_by;
  /// Every value must be a class or the ignored value; else 255 is ignored too.
  bool strict = false;
};

/// By the options, else by what the set says itself, else by the values. Throws a usage Error when
/// classes are given that the encoding cannot have.
Meaning meaning_of(const Layout& layout, const MaskUse& use, const DatasetOptions& options);

/// The smallest value of these masks that is neither a class nor ignored; none where there is none.
std::optional<int> value_without_class(const Meaning& meaning, const MaskUse& use,
                                       std::optional<std::uint8_t> ignored);

/// Names (given, or background and foreground / class 1, ...) and colours. Throws a usage Error
/// when the number of names differs, and for names that wrong_class_names refuses.
std::vector<ClassInfo> make_classes(std::size_t count, const std::vector<std::string>& names);

}  // namespace medurwkv::data
