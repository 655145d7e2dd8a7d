#include "data/volumes/volume.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <tuple>

#include <zlib.h>

#include "core/error.h"
#include "core/files.h"
#include "core/inflater.h"
#include "core/text.h"
#include "data/volumes/dicom.h"
#include "data/volumes/formats.h"
#include "data/volumes/series.h"

namespace medurwkv::data {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

/// A side is at most this, as of an image that is read by rows.
constexpr std::int64_t longest_side = std::int64_t{1} << 20;
constexpr std::int64_t most_channels = 64;

/// Of deflate: what a byte can become at most.
constexpr std::uint64_t most_unpacked = 1032;

template <class Number>
std::optional<Number> parsed(std::string_view text) {
  Number out{};
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// Throws Error where the file has not the bytes that its header asks for.
void check_bytes(const Volume& volume) {
  std::error_code error;
  const std::uint64_t there = fs::file_size(volume.data, error);
  if (error) {
    throw_failure(concat(volume.file.string(), ": its voxels should be in ", volume.data.string(),
                         ": ", error.message()));
  }
  const auto needed =
      static_cast<std::uint64_t>(volume.voxels() * volume.channels * size_of(volume.type));
  const std::uint64_t start = volume.at_the_end ? 0 : volume.start;
  std::uint64_t most = there;
  if (volume.packing == VoxelPacking::gzip || volume.packing == VoxelPacking::zlib) {
    most = there * most_unpacked;
  } else if (volume.packing == VoxelPacking::ascii) {
    // A digit for each and a blank between them.
    const std::uint64_t text = there - std::min(there, start) + 1;
    most = start + text / 2 * static_cast<std::uint64_t>(size_of(volume.type));
  }
  if (start > most || needed > most - start) {
    throw_failure(concat(volume.data.string(), ": is cut off: ", volume.columns, " x ", volume.rows,
                         " x ", volume.slices,
                         volume.channels > 1 ? concat(" x ", volume.channels) : std::string(),
                         " voxels of ", to_string(volume.type), " take ", needed,
                         " bytes, which the file cannot hold"));
  }
}

/// Whether a file called after DICOM begins with elements, without the preamble that is_dicom looks
/// for: group 2 or 8, in either order of bytes.
bool is_bare_dicom(const fs::path& file, std::string_view start) {
  const std::string suffix = lower(file.extension().string());
  if (suffix != ".dcm" && suffix != ".dicom" && suffix != ".ima") return false;
  const std::string_view group = start.substr(0, 2);
  return group == "\x02\0"sv || group == "\x08\0"sv || group == "\0\x08"sv;
}

}  // namespace

std::optional<Geometry> geometry_of(const Placing& placing) {
  Geometry out;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto& step = placing.step.at(axis);
    const double length = std::hypot(step[0], step[1], step[2]);
    if (!(length > 0) || !std::isfinite(length) || !std::isfinite(placing.origin.at(axis))) {
      return std::nullopt;
    }
    out.spacing.at(axis) = length;
    for (std::size_t i = 0; i < 3; ++i) out.axes.at(3 * axis + i) = step.at(i) / length;
  }
  return out;
}

double farthest_apart(const Placing& a, const Placing& b,
                      const std::array<std::int64_t, 3>& sides) {
  double worst = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    std::array<double, 3> between{};
    for (std::size_t i = 0; i < 3; ++i) {
      between.at(i) = a.origin.at(i) - b.origin.at(i);
      for (std::size_t axis = 0; axis < 3; ++axis) {
        if ((corner >> axis & 1U) == 0) continue;
        between.at(i) += static_cast<double>(sides.at(axis) - 1) *
                         (a.step.at(axis).at(i) - b.step.at(axis).at(i));
      }
    }
    const double distance = std::hypot(between[0], between[1], between[2]);
    if (!std::isfinite(distance)) return distance;
    worst = std::max(worst, distance);
  }
  return worst;
}

Volume turned(const Volume& volume, const Turn& turn) {
  const std::array<std::int64_t, 3> sides = volume.sides();
  Volume out = volume;
  std::array<std::int64_t, 3> seen{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t axis = turn.axis.at(i);
    seen.at(i) = sides.at(axis);
    out.turn.axis.at(i) = volume.turn.axis.at(axis);
    out.turn.flipped.at(i) = volume.turn.flipped.at(axis) != turn.flipped.at(i);
    for (std::size_t k = 0; k < 3; ++k) {
      const double step = volume.placing.step.at(axis).at(k);
      out.placing.step.at(i).at(k) = turn.flipped.at(i) ? -step : step;
      if (!turn.flipped.at(i)) continue;
      out.placing.origin.at(k) += static_cast<double>(sides.at(axis) - 1) * step;
    }
  }
  std::tie(out.columns, out.rows, out.slices) = std::tie(seen[0], seen[1], seen[2]);
  return out;
}

std::optional<double> number_in(std::string_view text) {
  return parsed<double>(text);
}

std::optional<std::int64_t> whole_number_in(std::string_view text) {
  return parsed<std::int64_t>(text);
}

fs::path beside(const fs::path& header, const std::string& name) {
  const fs::path path(name);
  const bool leads_out =
      path.is_absolute() ||
      std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
  if (name.empty() || leads_out) {
    throw_failure(concat(header.string(), ": names ", shown(name),
                         " for its voxels; a file beside the header is read"));
  }
  return header.parent_path() / path;
}

void set_sides(Volume& volume, const std::vector<std::int64_t>& sides, std::int64_t channels) {
  const std::string name = volume.file.string();
  const bool sound = !sides.empty() && sides.size() <= 3 &&
                     std::all_of(sides.begin(), sides.end(), [](std::int64_t side) {
                       return side >= 1 && side <= longest_side;
                     });
  if (!sound) {
    std::vector<std::string> said;
    for (const std::int64_t side : sides) said.push_back(std::to_string(side));
    throw_failure(
        concat(name, ": is no sound ", volume.format, ": its sides are ", join(said, " x ")));
  }
  if (channels < 1 || channels > most_channels) {
    throw_failure(concat(name, ": has ", channels < 1 ? "a wrong number of" : "more than 64",
                         " volumes or channels; split it, up to 64 are read as channels"));
  }
  volume.columns = sides[0];
  volume.rows = sides.size() > 1 ? sides[1] : 1;
  volume.slices = sides.size() > 2 ? sides[2] : 1;
  volume.channels = channels;
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (volume.columns * volume.rows > most / volume.slices / (8 * channels)) {
    throw_failure(concat(name, ": has ", volume.columns, " x ", volume.rows, " x ", volume.slices,
                         " voxels, more than are read"));
  }
}

VolumeStart unpacked_start(std::string_view file_start) {
  if (!file_start.starts_with("\x1f\x8b"sv)) return {std::string(file_start), false};
  VolumeStart out{std::string(longest_volume_header, '\0'), true};
  Inflater inflater(MAX_WBITS + 16);
  z_stream& stream = inflater.stream();
  // zlib does not write to its input, only its C interface says it might.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(file_start.data()));
  stream.avail_in = static_cast<uInt>(file_start.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.bytes.data());
  stream.avail_out = static_cast<uInt>(out.bytes.size());
  int status = Z_OK;
  while (stream.avail_out > 0 && status == Z_OK) {
    status = inflate(&stream, Z_NO_FLUSH);
    // A header may lie in several members.
    if (status == Z_STREAM_END && stream.avail_in > 0) status = inflateReset(&stream);
  }
  out.bytes.erase(out.bytes.size() - stream.avail_out);
  return out;
}

bool is_volume(const fs::path& file, std::string_view start) {
  if (is_nrrd(start) || is_dicom(start) || is_bare_dicom(file, start)) return true;
  const std::string suffix = lower(file.extension().string());
  if (suffix == ".mha" || suffix == ".mhd") return is_metaimage(start);
  return is_nifti(unpacked_start(start).bytes);
}

Volume read_volume(const fs::path& file) {
  std::error_code error;
  // A folder that holds no series, or several, is refused there.
  if (is_dicom_file(file) || is_series(file) || fs::is_directory(file, error)) {
    return dicom_volume(file);
  }
  const std::string start = read_start(file, longest_volume_header);
  // By its content, whatever its suffix.
  if (is_dicom(start)) return dicom_volume(file);
  Volume out;
  if (is_nrrd(start)) {
    out = nrrd_volume(file, start);
  } else if (const VolumeStart unpacked = unpacked_start(start); is_nifti(unpacked.bytes)) {
    out = nifti_volume(file, unpacked.bytes, unpacked.gzip);
  } else if (is_metaimage(start)) {
    out = metaimage_volume(file, start);
  } else {
    throw_failure(concat(file.string(), ": is no NIfTI, NRRD or MetaImage"));
  }
  check_bytes(out);
  return out;
}

}  // namespace medurwkv::data
