// Labels as a volume that lies where another does. Relies on data/volumes/volume.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "data/volumes/volume.h"

namespace medurwkv::data {

/// The suffix of the file that labels of a volume are written into: the volume's own, or that of
/// its format's single file (.nii of .hdr, .mha of .mhd, .nrrd of .nhdr).
std::string labels_suffix(const std::filesystem::path& volume);

/// `labels`: slices x rows x columns of `like`. The same format; where it lies bit for bit as
/// `like` says it, and nothing else of its header, which may name the patient.
std::string encode_labels(const Volume& like, std::span<const std::uint8_t> labels);

}  // namespace medurwkv::data
