// Files of DICOM that make a volume together. Relies on data/volumes/dicom.h and
// data/volumes/volume.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/volumes/dicom.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {

/// Where a slice of a volume of DICOM is.
struct DicomSlice {
  std::shared_ptr<const DicomFile> file;
  std::int64_t frame = 0;

  [[nodiscard]] const DicomFrame& placing() const {
    return file->frames[static_cast<std::size_t>(frame)];
  }
};

/// What a volume of DICOM knows beside its geometry.
struct DicomSource {
  std::vector<DicomSlice> slices;
  /// Values are measured ones (CT, MR, PET, NM), as the file's slope and intercept give them; else
  /// they are shades to be looked at.
  bool measured = false;
  /// Of a segmentation, whose file is that of the one entry of `slices`: the frames of each slice,
  /// one for each segment that is there.
  std::vector<std::vector<std::int64_t>> frames_at{};
};

/// Whether a file is of DICOM by its suffix (.dcm, .dicom, .ima), or by its content where it has
/// none or a number.
bool is_dicom_file(const std::filesystem::path& path);

/// `files` (sorted, of one or several folders) in which the files of a series are replaced by one
/// path: the folder where no other series lies in it, else FOLDER/series-NUMBER. A series are two
/// or more images of one frame in one folder that say where they lie in the patient. Files of DICOM
/// without pixels are left out; files that are broken stay, so that reading them names them.
std::vector<std::filesystem::path> with_series(std::vector<std::filesystem::path> files);

/// Whether a path is a series as with_series gives it, or a folder that holds one.
bool is_series(const std::filesystem::path& path);

/// The files that the path stands for: those of a series, else itself. Throws Error where a folder
/// holds several series or none.
std::vector<std::filesystem::path> files_behind(const std::filesystem::path& path);

/// A series or a file of DICOM. A segmentation has a slice at each place of its frames. Throws
/// Error naming what is wrong.
Volume dicom_volume(const std::filesystem::path& path);

}  // namespace medurwkv::data
