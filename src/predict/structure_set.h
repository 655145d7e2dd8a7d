// Outlines of a volume's labels as a structure set of radiotherapy (DICOM, PS3.3 A.19). Relies on
// predict/contours.h and data/volumes/derived.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_description.h"
#include "data/volumes/volume.h"
#include "predict/contours.h"

namespace medurwkv::predict {

/// A file's bytes: a region for each class but the background, with closed outlines in each slice
/// along the edges of pixels. A hole is joined to its outline by a line that is walked to and fro
/// (PS3.3 C.8.8.6.3). `labels`: slices x rows x columns of `source`, a volume of DICOM. Throws
/// Error where the source does not say where it lies.
std::string encode_structure_set(const data::Volume& source, std::span<const std::uint8_t> labels,
                                 const std::vector<ClassInfo>& classes, std::string_view seed);

/// `polygon` as one ring with its holes joined in.
Ring with_holes_joined(const Polygon& polygon);

}  // namespace medurwkv::predict
