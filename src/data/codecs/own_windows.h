// Windows that follow from the values of an image or of the volume that it is a slice of. Relies on
// data/image/levels.h and data/codecs/image_rows.h.
#pragma once

#include <memory>
#include <vector>

#include "core/model_description.h"
#include "data/codecs/image_rows.h"
#include "data/codecs/read.h"

namespace medurwkv::data {

/// The windows of the image that `source` is. Those of a volume are found once in a process, by
/// reading it slice by slice, and kept while its files do not change. Safe from any thread. Throws
/// Error naming the source.
std::vector<FoundWindows> find_windows(const ImageSource& source, const Image& image,
                                       const std::vector<OwnWindow>& wanted);

/// As read_image and open_rows, with the windows that are wanted. Rows are read twice for them.
Image read_image(const ImageSource& source, const std::vector<OwnWindow>& wanted);
std::unique_ptr<ImageRows> open_rows(const ImageSource& source,
                                     const std::vector<OwnWindow>& wanted);

/// Each window that one of the contracts wants, once.
void add_wanted(const InputContract& contract, std::vector<OwnWindow>& wanted);

}  // namespace medurwkv::data
