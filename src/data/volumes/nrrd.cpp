// NRRD (https://teem.sourceforge.net/nrrd/format.html).
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/text.h"
#include "data/volumes/formats.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

/// The fields of a header by their names, and where it ends.
struct Header {
  std::map<std::string, std::string> fields;
  std::size_t end = 0;  ///< first byte behind the empty line
  bool ended = false;
};

/// Names that mean another.
std::string field_name(const std::string& name) {
  static const std::map<std::string, std::string> others{
      {"datafile", "data file"}, {"lineskip", "line skip"}, {"byteskip", "byte skip"}};
  const auto found = others.find(name);
  return found == others.end() ? name : found->second;
}

Header parse(const std::string& file, std::string_view start) {
  Header out;
  std::size_t at = start.find('\n');
  while (at != std::string_view::npos && at + 1 <= start.size()) {
    const std::size_t begin = at + 1;
    at = start.find('\n', begin);
    if (at == std::string_view::npos) {
      // A header of its own may end with its last line.
      if (begin == start.size()) break;
      at = start.size();
    }
    std::string_view line = start.substr(begin, at - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      out.end = at + 1;
      out.ended = true;
      return out;
    }
    if (line.starts_with('#') || line.find(":=") != std::string_view::npos) continue;
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) {
      throw_failure(concat(file, ": is no sound NRRD: its header has the line ", shown(line)));
    }
    const std::string name = field_name(lower(trim(line.substr(0, colon))));
    const std::string value = trim(line.substr(colon + 2));
    if (!out.fields.emplace(name, value).second) {
      throw_failure(concat(file, ": is no sound NRRD: it says ", shown(name), " twice"));
    }
    if (name == "data file" && lower(value).starts_with("list")) {
      throw_failure(concat(file, ": its voxels are in several files, which is not read"));
    }
  }
  out.end = start.size();
  return out;
}

/// A field that must be there.
const std::string& needed(const std::string& file, const Header& header, const std::string& name) {
  const auto found = header.fields.find(name);
  if (found == header.fields.end()) {
    throw_failure(concat(file, ": is no sound NRRD: its header does not say ", name));
  }
  return found->second;
}

std::string field(const Header& header, const std::string& name) {
  const auto found = header.fields.find(name);
  return found == header.fields.end() ? "" : found->second;
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& word : split(text, ' ')) {
    if (!trim(word).empty()) out.push_back(trim(word));
  }
  return out;
}

const std::map<std::string, NpyType>& types() {
  static const std::map<std::string, NpyType> all{{"signed char", NpyType::i8},
                                                  {"int8", NpyType::i8},
                                                  {"int8_t", NpyType::i8},
                                                  {"uchar", NpyType::u8},
                                                  {"unsigned char", NpyType::u8},
                                                  {"uint8", NpyType::u8},
                                                  {"uint8_t", NpyType::u8},
                                                  {"short", NpyType::i16},
                                                  {"short int", NpyType::i16},
                                                  {"signed short", NpyType::i16},
                                                  {"signed short int", NpyType::i16},
                                                  {"int16", NpyType::i16},
                                                  {"int16_t", NpyType::i16},
                                                  {"ushort", NpyType::u16},
                                                  {"unsigned short", NpyType::u16},
                                                  {"unsigned short int", NpyType::u16},
                                                  {"uint16", NpyType::u16},
                                                  {"uint16_t", NpyType::u16},
                                                  {"int", NpyType::i32},
                                                  {"signed int", NpyType::i32},
                                                  {"int32", NpyType::i32},
                                                  {"int32_t", NpyType::i32},
                                                  {"uint", NpyType::u32},
                                                  {"unsigned int", NpyType::u32},
                                                  {"uint32", NpyType::u32},
                                                  {"uint32_t", NpyType::u32},
                                                  {"longlong", NpyType::i64},
                                                  {"long long", NpyType::i64},
                                                  {"long long int", NpyType::i64},
                                                  {"signed long long", NpyType::i64},
                                                  {"signed long long int", NpyType::i64},
                                                  {"int64", NpyType::i64},
                                                  {"int64_t", NpyType::i64},
                                                  {"ulonglong", NpyType::u64},
                                                  {"unsigned long long", NpyType::u64},
                                                  {"unsigned long long int", NpyType::u64},
                                                  {"uint64", NpyType::u64},
                                                  {"uint64_t", NpyType::u64},
                                                  {"float", NpyType::f32},
                                                  {"double", NpyType::f64}};
  return all;
}

/// Kinds of axes along which the volume does not extend.
bool is_no_place(const std::string& kind) {
  static const std::set<std::string> places{"domain", "space", "???", "none", ""};
  return !places.contains(lower(kind));
}

/// "(1,0,0)" as three numbers; two are of a plane.
std::optional<std::array<double, 3>> vector_in(const std::string& text) {
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
  const std::vector<std::string> parts = split(text.substr(1, text.size() - 2), ',');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto number = number_in(trim(parts[i]));
    if (!number) return std::nullopt;
    out.at(i) = *number;
  }
  return out;
}

/// "(1,0,0) none (0,0,1)" as words, with blanks inside of parentheses allowed.
std::vector<std::string> vectors(const std::string& text) {
  std::vector<std::string> out{""};
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth == 0 && c == ' ') {
      if (!out.back().empty()) out.emplace_back();
    } else if (c != ' ') {
      out.back() += c;
    }
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

/// Signs that bring a space to the left, back and head; none for a space that is no patient's.
std::optional<std::array<double, 3>> signs_of(const std::string& space) {
  const std::string name = lower(space);
  if (name == "left-posterior-superior" || name == "lps") return std::array<double, 3>{1, 1, 1};
  if (name == "right-anterior-superior" || name == "ras") return std::array<double, 3>{-1, -1, 1};
  if (name == "left-anterior-superior" || name == "las") return std::array<double, 3>{1, -1, 1};
  return std::nullopt;
}

void place(const Header& header, std::size_t first, std::size_t count, Volume& volume) {
  const auto signs = signs_of(field(header, "space"));
  const auto turned = [&](std::array<double, 3> place) {
    for (std::size_t i = 0; i < 3; ++i)
      place.at(i) = 0 + place.at(i) * signs.value_or(std::array<double, 3>{1, 1, 1}).at(i);
    return place;
  };
  const std::vector<std::string> directions = vectors(field(header, "space directions"));
  if (directions.size() >= first + count) {
    for (std::size_t axis = 0; axis < count; ++axis) {
      const auto step = vector_in(directions[first + axis]);
      if (!step) {
        volume.misplaced = "its space directions are no vectors";
        return;
      }
      volume.placing.step.at(axis) = turned(*step);
    }
    if (const auto origin = vector_in(field(header, "space origin"))) {
      volume.placing.origin = turned(*origin);
    }
    if (!signs) volume.misplaced = "it does not say where in the patient it lies";
  } else {
    const std::vector<std::string> spacings = words(field(header, "spacings"));
    for (std::size_t axis = 0; axis < count && first + axis < spacings.size(); ++axis) {
      volume.placing.step.at(axis).at(axis) = number_in(spacings[first + axis]).value_or(NAN);
    }
    volume.misplaced = "it does not say where in the patient it lies";
  }
  if (!geometry_of(volume.placing)) volume.misplaced = "a voxel's size is 0 or no number";
}

}  // namespace

bool is_nrrd(std::string_view start) {
  return start.size() > 8 && start.starts_with("NRRD000");
}

Volume nrrd_volume(const fs::path& file, std::string_view start) {
  const std::string name = file.string();
  const Header header = parse(name, start);
  Volume out{.format = "NRRD", .file = file};
  out.header = start.substr(0, header.end);
  const std::string& type = needed(name, header, "type");
  const auto known = types().find(lower(type));
  if (known == types().end()) {
    throw_failure(concat(name, ": has voxels of type ", shown(type),
                         ", which is not read; save it as short or float"));
  }
  out.type = known->second;

  std::vector<std::int64_t> sides;
  for (const std::string& word : words(needed(name, header, "sizes"))) {
    sides.push_back(whole_number_in(word).value_or(-1));
  }
  const auto dimension = whole_number_in(needed(name, header, "dimension"));
  if (!dimension || *dimension != std::ssize(sides)) {
    throw_failure(concat(name, ": is no sound NRRD: ", sides.size(), " sizes for the dimension ",
                         shown(field(header, "dimension"))));
  }
  // An axis of channels is the first or the last.
  const std::vector<std::string> kinds = words(field(header, "kinds"));
  const std::vector<std::string> directions = vectors(field(header, "space directions"));
  const auto no_place = [&](std::size_t axis) {
    return (axis < kinds.size() && is_no_place(kinds[axis])) ||
           (directions.size() == sides.size() && lower(directions[axis]) == "none");
  };
  std::size_t first = 0;
  std::int64_t channels = 1;
  if (sides.size() > 2 && no_place(0)) {
    channels = sides.front();
    out.channels_together = true;
    first = 1;
    sides.erase(sides.begin());
  } else if (sides.size() > 3 || (sides.size() == 3 && no_place(2))) {
    channels = sides.back();
    sides.pop_back();
  }
  if (sides.size() > 3) {
    throw_failure(concat(name, ": has ", *dimension,
                         " dimensions; volumes, and volumes with one "
                         "axis of channels, are read"));
  }
  set_sides(out, sides, channels);
  place(header, first, sides.size(), out);

  const std::string encoding = lower(needed(name, header, "encoding"));
  static const std::map<std::string, VoxelPacking> packings{
      {"raw", VoxelPacking::raw},     {"gzip", VoxelPacking::gzip},  {"gz", VoxelPacking::gzip},
      {"ascii", VoxelPacking::ascii}, {"text", VoxelPacking::ascii}, {"txt", VoxelPacking::ascii}};
  const auto packing = packings.find(encoding);
  if (packing == packings.end()) {
    throw_failure(concat(name, ": is encoded as ", shown(encoding),
                         ", which is not read; save it with gzip or raw"));
  }
  out.packing = packing->second;
  const std::string endian = lower(field(header, "endian"));
  if (size_of(out.type) > 1 && out.packing != VoxelPacking::ascii && endian.empty()) {
    throw_failure(concat(name, ": is no sound NRRD: its header does not say endian"));
  }
  if (!endian.empty() && endian != "big" && endian != "little") {
    throw_failure(concat(name, ": is no sound NRRD: its endian is ", shown(endian)));
  }
  out.swapped = endian == "big";
  if (!field(header, "line skip").empty() && field(header, "line skip") != "0") {
    throw_failure(concat(name, ": skips lines before its voxels, which is not read"));
  }
  const std::string skipped = field(header, "byte skip");
  const std::int64_t skip = skipped.empty() ? 0 : whole_number_in(skipped).value_or(-2);
  if (const std::string data = field(header, "data file"); !data.empty()) {
    if (data.find('%') != std::string::npos) {
      throw_failure(concat(name, ": its voxels are in several files, which is not read"));
    }
    out.data = beside(file, data);
    out.start = 0;
  } else {
    if (!header.ended) {
      throw_failure(concat(name, ": is no sound NRRD: no empty line ends its header within ",
                           longest_volume_header, " bytes"));
    }
    out.data = file;
    out.start = header.end;
  }
  if (skip == -1 && out.packing == VoxelPacking::raw) {
    out.at_the_end = true;
  } else if (skip < 0 || (skip > 0 && out.packing != VoxelPacking::raw)) {
    throw_failure(
        concat(name, ": skips ", shown(skipped), " bytes before its voxels, which is not read"));
  } else {
    out.start += static_cast<std::uint64_t>(skip);
  }
  return out;
}

}  // namespace medurwkv::data
