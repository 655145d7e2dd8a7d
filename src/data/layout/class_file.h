// The classes of a set as a file: labelmap.txt and lists of annotation tools, or TOML. Relies on
// core, data/codecs/read.h and data/layout/encoding.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::data {

/// What a file says of classes: background first, then by index.
struct ClassTable {
  std::vector<ClassInfo> classes;
  bool has_colors = true;  ///< false: the file has names alone; the colours are ours
};

/// A file named .toml has tables `[[class]]` with `name`, `index` (0 to n - 1) and `color` ([red,
/// green, blue]). Any other file has a class a line, all in one of these forms, and lines that
/// start with # between them:
///   name:red,green,blue       CVAT's labelmap.txt; what follows a further colon is ignored
///   name red green blue       or the colour first; with blanks, tabs, commas or semicolons
///   index name                0 to n - 1, each once, also name and index; Roboflow's _classes.csv
///   name                      by index in their order
/// The second and the third may have a line of heads. With colours, indices go by order, and the
/// background is the class named so or, with no such name, the black one. Where there is neither,
/// and before names alone that do not begin with a background, one is added. Throws Error naming
/// file and line for anything else and for a name, an index or a colour that occurs twice.
ClassTable read_class_file(const std::filesystem::path& file);
/// The same from the file's bytes; the file is named in messages and by its suffix.
ClassTable parse_classes(const std::filesystem::path& file, const std::string& bytes);

}  // namespace medurwkv::data
