// A set read case by case, every fault of a case kept instead of thrown: what `data check` and its
// repair stand on. Relies on data/layout.h, data/encoding.h, data/fingerprint.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stop.h"
#include "data/dataset.h"
#include "data/encoding.h"
#include "data/fault.h"
#include "data/fingerprint.h"
#include "data/layout.h"
#include "data/mask_shape.h"

namespace medurwkv::data {

/// What reading one case gave.
struct CaseFacts {
  std::vector<Fault> faults;  ///< in its own files
  // Of its masks, before their encoding is known.
  bool masks_read = false;
  bool lossy = false;  ///< a mask is a JPEG
  MaskUse use;
  std::string mask_hash;  ///< over the contents of all masks
  bool odd_encoding = false;
  // Of its image.
  std::optional<ImageSize> size;  ///< none when it cannot be read
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;
  std::string image_hash;  ///< over the contents
  Fingerprint print;
  // Of its labels.
  std::optional<MaskShape> shape;  ///< none when they cannot be read
  std::vector<std::int64_t> class_pixels;
};

struct Examination {
  Layout layout;
  Meaning meaning;  ///< by the masks that agree with most
  Dataset dataset;  ///< as open_dataset gives it; of value when meaning has an encoding
  std::vector<CaseFacts> facts;  ///< by case
};

/// Reads every mask, decides what they mean, then reads every image and its labels, on all threads.
/// Throws Error for a root that cannot be opened and for options that do not fit, and Stopped.
Examination examine(const std::filesystem::path& root, const DatasetOptions& options,
                    const StopSignal& stop, bool quiet);

/// The contents of a case's image as a text that only equal ones share: of its files, or of its
/// pixels where a file holds several images.
std::string image_contents(const Case& item, const Image& image);

/// The suffix of the format that a file's first bytes are of; none for one that the name does not
/// matter for.
std::optional<std::string> suffix_of_contents(std::string_view start);

/// Pixels of each class; ignored ones in none.
std::vector<std::int64_t> class_pixels(const LabelMap& labels, std::size_t classes);

}  // namespace medurwkv::data
