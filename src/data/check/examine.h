// Reads a set case by case and keeps every fault of a case instead of throwing it, for `data check`
// and its repair. Relies on data/layout/layout.h, data/layout/encoding.h, data/image/fingerprint.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/listener.h"
#include "data/check/fault.h"
#include "data/image/fingerprint.h"
#include "data/image/mask_shape.h"
#include "data/layout/dataset.h"
#include "data/layout/encoding.h"
#include "data/layout/layout.h"
#include "data/split/split.h"

namespace medurwkv::data {

/// What reading one case gave.
struct CaseFacts {
  std::vector<Fault> faults;  ///< in its own files
  // Of its masks, before their encoding is known.
  bool masks_read = false;
  bool lossy = false;  ///< a mask is a JPEG
  MaskUse use;
  bool odd_encoding = false;  ///< they mean something else than the set's
  bool odd_value = false;     ///< they hold a value that is no class
  // Of its image.
  std::optional<ImageSize> size;  ///< none when it cannot be read
  std::int64_t channels = 0;
  SampleType type = SampleType::u8;
  std::optional<std::pair<float, float>> floats{};  ///< smallest and largest sample, of floats
  std::string image_hash;                           ///< over the contents
  Fingerprint print;
  // Of its labels.
  std::optional<MaskShape> shape;  ///< none when they cannot be read
  std::string label_hash;
  std::vector<std::int64_t> class_pixels;
};

/// True where both cases' labels could be read and are equal.
bool have_same_labels(const CaseFacts& a, const CaseFacts& b);

struct Examination {
  Layout layout;
  Meaning meaning;               ///< by the masks that agree with most
  Dataset dataset;               ///< as open_dataset gives it; valid when meaning has an encoding
  std::vector<CaseFacts> facts;  ///< by case
  bool images_read = false;      ///< by examine, not by examine_masks
};

/// Reads every mask and decides what they mean; no image. Throws Error for a root that cannot be
/// opened and for options that do not fit, and Stopped.
Examination examine_masks(const std::filesystem::path& root, const DatasetOptions& options,
                          Listener& listener);

/// examine_masks, then reads every image and its labels, on all threads.
Examination examine(const std::filesystem::path& root, const DatasetOptions& options,
                    Listener& listener);

/// What all masks mean, or most of them; the others get a fault (data/check/agreement.cpp).
Meaning agree_on_meaning(const Layout& layout, const DatasetOptions& options,
                         std::vector<CaseFacts>& facts);

/// What is left out, with counts, a line each.
std::vector<std::string> notes_on(const Layout& layout);

/// A text that only equal images share: made of the hashes of the case's files, or of its pixels
/// where a file holds several images. `hashes`: of its files, as read_image gives them, where it
/// has files of its own.
std::string image_contents(const Case& item, const Image& image,
                           const std::vector<std::string>& hashes);

/// The suffix that fits a file's first bytes; none for a format whose suffix does not matter.
std::optional<std::string> suffix_of_contents(std::string_view start);

/// Pixels of each class; ignored ones in none.
std::vector<std::int64_t> class_pixels(const LabelMap& labels, std::size_t classes);

/// What a split must know of each case of a set whose images were read.
std::vector<CaseTraits> traits_of(const Examination& set);

}  // namespace medurwkv::data
