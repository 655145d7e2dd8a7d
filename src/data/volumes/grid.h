// Masks as they lie on the grids of their images. Relies on data/volumes/volume.h.
#pragma once

#include <string>

#include "data/volumes/volume.h"

namespace medurwkv::data {

/// A volume on another's grid, or why it cannot be put there without resampling.
struct OnGrid {
  Volume volume;
  std::string why_not{};  ///< what is wrong with it, for people; empty where nothing is
};

/// `mask` as it lies on the grid of `image`: with its axes in the image's order and direction where
/// those are others, as in a NIfTI made of DICOM; of a DICOM segmentation the frames at the image's
/// slices. Where only one of the two says where it lies, their voxels are taken to be the same.
OnGrid on_grid(const Volume& mask, const Volume& image);

}  // namespace medurwkv::data
