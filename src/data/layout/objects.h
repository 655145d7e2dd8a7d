// Masks that tell single objects apart: by their values (GlaS, nuclei) or by one file each (DSB
// 2018). Relies on data/layout/dataset.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/layout/dataset.h"

namespace medurwkv::data {

/// The object of each pixel, from 1 on; 0 is none.
struct ObjectMap {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint32_t> objects;
  std::uint32_t count = 0;  ///< the largest object
};

/// Whether masks of the case tell objects apart: values of `instances`, or several files of the one
/// class. Masks of a pack do not: it keeps classes alone.
bool tells_objects(const Dataset& dataset, const Case& item);

/// The objects of a case of which tells_objects is true, at the image's own size. Where two files
/// overlap the later one has the pixel. Throws Error as read_labels.
ObjectMap read_objects(const Dataset& dataset, const Case& item);

/// The objects of one mask of `instances`: each value, or colour, but 0.
ObjectMap objects_from(const MaskPixels& mask);

}  // namespace medurwkv::data
