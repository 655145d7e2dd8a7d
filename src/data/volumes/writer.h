// Labels as a volume that lies where another does. Relies on data/volumes/volume.h.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "data/volumes/volume.h"

namespace medurwkv::data {

/// A format in which volumes are written.
enum class VolumeFormat { nifti, nrrd, metaimage, dicom };

/// "nifti", "nrrd", "metaimage", "dicom", in the order above.
inline constexpr std::array<const char*, 4> volume_format_names{"nifti", "nrrd", "metaimage",
                                                                "dicom"};

/// The format of a volume's file or series, and the suffix of a file that is written in it: a NIfTI
/// that is packed stays so.
struct WrittenAs {
  VolumeFormat format = VolumeFormat::nifti;
  std::string suffix;
};
/// In the volume's own format, or in the one that is asked for.
WrittenAs written_as(const std::filesystem::path& volume, std::optional<VolumeFormat> asked);

/// `labels`: slices x rows x columns of `like`. Where it lies stands in the file bit for bit as
/// `like` says it where the format is the same; nothing else of its header, which may name the
/// patient. DICOM is written by data/volumes/segmentation.h.
std::string encode_labels(const Volume& like, std::span<const std::uint8_t> labels,
                          const WrittenAs& as);
/// The same of other values.
std::string encode_values(const Volume& like, std::span<const float> values, const WrittenAs& as);

}  // namespace medurwkv::data
