// The headers behind read_volume, and what they share. Relies on data/volumes/volume.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/volumes/volume.h"

namespace medurwkv::data {

bool is_nifti(std::string_view start);
bool is_nrrd(std::string_view start);
/// A text of "Key = value" that says how many dimensions there are.
bool is_metaimage(std::string_view start);

/// `start`: the file's first bytes, unpacked where it is packed as a whole (`gzip`).
Volume nifti_volume(const std::filesystem::path& file, std::string_view start, bool gzip);
Volume nrrd_volume(const std::filesystem::path& file, std::string_view start);
Volume metaimage_volume(const std::filesystem::path& file, std::string_view start);

/// First bytes of a file that hold its header: those of `file`, unpacked where they are gzip's.
struct VolumeStart {
  std::string bytes;
  bool gzip = false;
};
/// `file_start`: as many bytes of the file as are at hand. Of a damaged gzip, what could be
/// unpacked.
VolumeStart unpacked_start(std::string_view file_start);
inline constexpr std::size_t longest_volume_header = 65536;

/// The sides of a volume from lengths as the header has them. Throws Error.
void set_sides(Volume& volume, const std::vector<std::int64_t>& sides, std::int64_t channels);

/// The number that a text is. None for another text, and for one that does not end there.
std::optional<double> number_in(std::string_view text);
std::optional<std::int64_t> whole_number_in(std::string_view text);

/// A file that a header names, beside the header. Throws Error where the name leads elsewhere.
std::filesystem::path beside(const std::filesystem::path& header, const std::string& name);

}  // namespace medurwkv::data
