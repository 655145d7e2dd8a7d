// MetaImage, as ITK writes it (https://itk.org/Wiki/ITK/MetaIO/Documentation).
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "data/volumes/formats.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;

struct Header {
  std::map<std::string, std::string> fields;  ///< by lower-case name
  std::size_t end = 0;                        ///< behind the line of ElementDataFile, the last
  bool ended = false;
};

Header parse(std::string_view start) {
  Header out;
  std::size_t begin = 0;
  while (begin < start.size()) {
    std::size_t end = start.find('\n', begin);
    if (end == std::string_view::npos) end = start.size();
    const std::string_view line = start.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = lower(trim(line.substr(0, equals)));
    out.fields[name] = trim(line.substr(equals + 1));
    if (name == "elementdatafile") {
      out.end = begin;
      out.ended = true;
      break;
    }
  }
  return out;
}

/// The first of the names that is there.
std::string field(const Header& header, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    const auto found = header.fields.find(name);
    if (found != header.fields.end()) return found->second;
  }
  return "";
}

std::vector<double> numbers(const std::string& text) {
  std::vector<double> out;
  for (const std::string& word : split(text, ' ')) {
    if (!trim(word).empty()) out.push_back(number_in(trim(word)).value_or(NAN));
  }
  return out;
}

bool is_true(const std::string& text) {
  return lower(text) == "true" || text == "1";
}

const std::map<std::string, NpyType>& types() {
  static const std::map<std::string, NpyType> all{
      {"MET_CHAR", NpyType::i8},       {"MET_UCHAR", NpyType::u8},
      {"MET_SHORT", NpyType::i16},     {"MET_USHORT", NpyType::u16},
      {"MET_INT", NpyType::i32},       {"MET_UINT", NpyType::u32},
      {"MET_LONG", NpyType::i32},      {"MET_ULONG", NpyType::u32},
      {"MET_LONG_LONG", NpyType::i64}, {"MET_ULONG_LONG", NpyType::u64},
      {"MET_FLOAT", NpyType::f32},     {"MET_DOUBLE", NpyType::f64}};
  return all;
}

void place(const Header& header, std::size_t sides, Volume& volume) {
  const std::vector<double> matrix =
      numbers(field(header, {"transformmatrix", "rotation", "orientation"}));
  const std::vector<double> spacing = numbers(field(header, {"elementspacing", "elementsize"}));
  const std::vector<double> origin = numbers(field(header, {"offset", "origin", "position"}));
  const bool turned = matrix.size() == sides * sides;
  for (std::size_t axis = 0; axis < sides && axis < 3; ++axis) {
    if (axis < origin.size()) volume.placing.origin.at(axis) = origin[axis];
    for (std::size_t i = 0; i < sides && i < 3; ++i) {
      // A row for each axis of the volume.
      const double along = turned ? matrix[axis * sides + i] : (axis == i ? 1.0 : 0.0);
      volume.placing.step.at(axis).at(i) = along * (axis < spacing.size() ? spacing[axis] : 1);
    }
  }
  if (!turned) volume.misplaced = "it does not say where in the patient it lies";
  if (!geometry_of(volume.placing)) volume.misplaced = "a voxel's size is 0 or no number";
}

}  // namespace

bool is_metaimage(std::string_view start) {
  constexpr std::size_t enough = 2048;
  const Header header = parse(start.substr(0, enough));
  return header.fields.contains("ndims") && header.fields.contains("dimsize");
}

Volume metaimage_volume(const fs::path& file, std::string_view start) {
  const std::string name = file.string();
  const Header header = parse(start);
  Volume out{.format = "MetaImage", .file = file};
  out.header = start.substr(0, header.end);
  if (!header.ended) {
    throw_failure(concat(name, ": is no sound MetaImage: its header does not say ElementDataFile"));
  }
  const std::string type = field(header, {"elementtype"});
  const auto known = types().find(type);
  if (known == types().end()) {
    throw_failure(concat(name, ": has voxels of type ", shown(type),
                         ", which is not read; save it as MET_SHORT or MET_FLOAT"));
  }
  out.type = known->second;
  std::vector<std::int64_t> sides;
  for (const std::string& word : split(field(header, {"dimsize"}), ' ')) {
    if (!trim(word).empty()) sides.push_back(whole_number_in(trim(word)).value_or(-1));
  }
  const auto dimension = whole_number_in(field(header, {"ndims"}));
  if (!dimension || *dimension != std::ssize(sides)) {
    throw_failure(concat(name, ": is no sound MetaImage: ", sides.size(),
                         " sizes for NDims = ", shown(field(header, {"ndims"}))));
  }
  const std::size_t all_sides = sides.size();
  const std::string said = field(header, {"elementnumberofchannels"});
  std::int64_t channels = said.empty() ? 1 : whole_number_in(said).value_or(-1);
  out.channels_together = channels > 1;
  if (sides.size() == 4) {
    if (channels > 1)
      throw_failure(concat(name, ": is a series of volumes in colour, which is not read"));
    channels = sides.back();
    sides.pop_back();
  }
  if (sides.size() > 3) {
    throw_failure(concat(name, ": has ", all_sides, " dimensions; up to 4 are read"));
  }
  set_sides(out, sides, channels);
  place(header, all_sides, out);
  out.swapped = is_true(field(header, {"binarydatabyteordermsb", "elementbyteordermsb"}));
  const std::string binary = field(header, {"binarydata"});
  const bool packed = is_true(field(header, {"compresseddata"}));
  out.packing = !binary.empty() && !is_true(binary) ? VoxelPacking::ascii
                : packed                            ? VoxelPacking::zlib
                                                    : VoxelPacking::raw;
  const std::string data = field(header, {"elementdatafile"});
  if (lower(data) == "local") {
    out.data = file;
    out.start = header.end;
  } else if (lower(data).starts_with("list") || data.find('%') != std::string::npos) {
    throw_failure(concat(name, ": its voxels are in several files, which is not read"));
  } else {
    out.data = beside(file, data);
  }
  const std::string skipped = field(header, {"headersize"});
  const std::int64_t skip = skipped.empty() ? 0 : whole_number_in(skipped).value_or(-2);
  if (skip == -1 && out.packing == VoxelPacking::raw) {
    out.at_the_end = true;
  } else if (skip > 0 && (lower(data) != "local" || std::cmp_equal(skip, header.end))) {
    out.start = static_cast<std::uint64_t>(skip);
  } else if (skip != 0) {
    throw_failure(concat(name, ": is no sound MetaImage: HeaderSize = ", shown(skipped)));
  }
  return out;
}

}  // namespace medurwkv::data
