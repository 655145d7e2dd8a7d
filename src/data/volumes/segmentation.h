// Labels and probabilities as segmentations of DICOM (PS3.3 A.51). Relies on
// data/volumes/derived.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_description.h"
#include "data/volumes/volume.h"

namespace medurwkv::data {

/// A file's bytes: a binary segment for each class but the background, with a frame for each slice
/// where it is. `labels`: slices x rows x columns of `source`, a volume of DICOM. `seed`: of the
/// file's identifiers.
std::string encode_segmentation(const Volume& source, std::span<const std::uint8_t> labels,
                                const std::vector<ClassInfo>& classes, std::string_view seed);

/// The same of probabilities, 255 for 1: `values` holds slices x rows x columns for each class but
/// the background.
std::string encode_probabilities(const Volume& source,
                                 const std::vector<std::vector<std::uint8_t>>& values,
                                 const std::vector<ClassInfo>& classes, std::string_view seed);

}  // namespace medurwkv::data
