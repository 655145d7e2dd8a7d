// The classes of a set as a file: labelmap.txt of annotation tools, or TOML. Relies on core.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/model_description.h"

namespace medurwkv::data {

/// Background first, then the classes by index. A file named .toml has tables `[[class]]` with
/// `name`, `index` (0 to n - 1) and `color` ([red, green, blue]); any other file has lines
/// `name:red,green,blue` (what follows a further colon is ignored, as are lines that start with #),
/// as CVAT's labelmap.txt, and gives indices by order. A class is the background when it is named
/// so or, with no such name, black; where there is none a black one is put first. Throws Error
/// naming file and line for anything else and for a name, an index or a colour that occurs twice.
std::vector<ClassInfo> read_class_file(const std::filesystem::path& file);
/// The same from the file's text; the file is named in messages and by its suffix.
std::vector<ClassInfo> parse_classes(const std::filesystem::path& file, const std::string& text);

}  // namespace medurwkv::data
