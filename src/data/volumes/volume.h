// Volumes as scanners and their programs store them: NIfTI-1 and -2, NRRD, MetaImage, DICOM. Relies
// on core/npy.h and data/image/image.h.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/npy.h"
#include "data/image/image.h"

namespace medurwkv::data {

/// Where voxels lie in the patient, in mm to the left, back and head (DICOM's and ITK's axes):
/// voxel (column, row, slice) at origin + column * step[0] + row * step[1] + slice * step[2].
struct Placing {
  std::array<double, 3> origin{};
  std::array<std::array<double, 3>, 3> step{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};

  bool operator==(const Placing&) const = default;
};

/// Spacing and axes. None where a step is 0 or not finite.
std::optional<Geometry> geometry_of(const Placing& placing);

/// The largest distance, in mm, between where two placings put a corner of a volume of so many
/// columns, rows and slices. Not finite where a placing is not.
double farthest_apart(const Placing& a, const Placing& b, const std::array<std::int64_t, 3>& sides);

/// How the voxels' bytes are packed.
enum class VoxelPacking {
  raw,
  gzip,   ///< members of gzip
  zlib,   ///< a stream of zlib
  ascii,  ///< numbers as text
};

/// How a volume is looked at: which stored axis (0: columns, 1: rows, 2: slices) its columns, rows
/// and slices run along, and from which end.
struct Turn {
  std::array<std::size_t, 3> axis{0, 1, 2};
  std::array<bool, 3> flipped{};

  bool operator==(const Turn&) const = default;
};

struct DicomSource;

/// A volume without its voxels.
struct Volume {
  std::string format;          ///< "NIfTI-1", for people
  std::filesystem::path file;  ///< the header's
  std::string header{};        ///< its bytes as they are, unpacked
  std::int64_t columns = 0, rows = 0, slices = 1, channels = 1;
  /// The channels of a voxel lie beside each other; else each channel is a volume of its own.
  bool channels_together = false;
  NpyType type = NpyType::i16;
  bool swapped = false;             ///< elements are big endian
  double slope = 1, intercept = 0;  ///< value = slope * element + intercept
  Placing placing{};
  /// What is wrong with the placing, such as a step of 0; empty where it is sound. Voxels do not
  /// depend on it.
  std::string misplaced{};

  std::filesystem::path data{};  ///< where the voxels are, often the same file
  VoxelPacking packing = VoxelPacking::raw;
  std::uint64_t start = 0;  ///< their first byte: of the file, or of what is unpacked
  bool at_the_end = false;  ///< `start` is not known: they are the file's last bytes
  /// Columns, rows, slices and placing are those seen; the file has them in its own order.
  Turn turn{};
  std::shared_ptr<const DicomSource> dicom{};  ///< of DICOM (data/volumes/series.h), else null

  [[nodiscard]] std::array<std::int64_t, 3> sides() const { return {columns, rows, slices}; }
  [[nodiscard]] std::int64_t voxels() const { return columns * rows * slices; }
  [[nodiscard]] bool scaled() const { return slope != 1 || intercept != 0; }
};

/// Whether a file is a volume's or its header's, by its first bytes and its name.
bool is_volume(const std::filesystem::path& file, std::string_view start);

/// Reads the header, of DICOM of a file or a series (data/volumes/series.h). Throws Error naming
/// the file and what is wrong: no volume, sizes that are no sizes, a type that is not read, fewer
/// bytes than the voxels take, files that are not there.
Volume read_volume(const std::filesystem::path& file);

/// The volume seen in another way.
Volume turned(const Volume& volume, const Turn& turn);

/// One slice, along the last axis as seen: uint8 and uint16 stay, other types, and scaled ones,
/// become float32. Unpacked volumes are kept for the next slice, within a bound. Safe from any
/// thread. Throws Error naming the file.
Image read_slice(const Volume& volume, std::int64_t slice);

}  // namespace medurwkv::data
