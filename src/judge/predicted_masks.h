// Masks that some tool has written, found for the cases of a set by their names. Relies on
// data/layout/dataset.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/model_description.h"
#include "data/codecs/read.h"
#include "data/layout/dataset.h"
#include "data/layout/objects.h"

namespace medurwkv::judge {

/// What a case without a mask means.
enum class Missing {
  error,  ///< the evaluation is refused
  empty,  ///< nothing was found in it
};

struct PredictedMasksOptions {
  Missing missing = Missing::error;
  std::optional<data::MaskEncoding> encoding{};  ///< none: decided over all of them
};

class PredictedMasks {
 public:
  /// A file below `folder` belongs to the case whose id is its path without suffix and without
  /// folders that say roles (P0/images/000.png to P0/000), or whose image has this path in the set;
  /// so the output of `predict` fits. Else to the case of its name, or of its name without what
  /// tools add (_mask, _segmentation, _0000, ...), where no folder says otherwise (P1/000.png is
  /// not of P0/000). A file of arrays named as a volume holds the masks of its slices. Files that
  /// belong to no case are left alone. Throws Error that names the cases without a mask (unless
  /// they count as empty), a case with two, or a mask of two cases. Throws Error when no case has a
  /// mask and when the encoding is unclear.
  PredictedMasks(const std::filesystem::path& folder, const data::Dataset& dataset,
                 const std::vector<data::Case>& cases, const PredictedMasksOptions& options);

  /// The mask of the case at position `index`, all background where it is missing. Throws Error
  /// naming the file when it is not of this size or holds a value that is no class of the set.
  [[nodiscard]] data::LabelMap read(std::size_t index, data::ImageSize size) const;

  /// The objects of the case at position `index`, where its mask tells them apart.
  [[nodiscard]] std::optional<data::ObjectMap> read_objects(std::size_t index) const;

  [[nodiscard]] std::size_t missing() const { return missing_; }
  [[nodiscard]] data::MaskEncoding encoding() const { return encoding_; }
  /// Over the cases' ids and the contents of their files.
  [[nodiscard]] std::string content_hash() const;

 private:
  std::vector<std::string> ids_;
  std::vector<std::optional<data::ImageSource>> sources_;  // by case
  std::vector<ClassInfo> classes_;
  data::MaskEncoding encoding_ = data::MaskEncoding::index;
  std::size_t missing_ = 0;
};

}  // namespace medurwkv::judge
