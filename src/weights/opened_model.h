// A model file that is to be run, as every engine opens it. Relies on weights/weights_source.h and
// weights/contents.h.
#pragma once

#include <filesystem>
#include <string>

#include "core/model_description.h"
#include "weights/model_file.h"
#include "weights/weights_source.h"

namespace medurwkv::weights {

struct OpenedModel {
  WeightsSource file;
  ModelInfo info;
  Head head;  ///< of a segmentation

  /// `content`: what reading the file's tensors gave.
  [[nodiscard]] ModelDescription description(const std::string& content) const;
};

/// Reads what the file says of itself, not its tensors. Throws Error naming the file: with a remedy
/// for a folder and for weights that are no model file.
OpenedModel open_segmentation(const std::filesystem::path& path);

}  // namespace medurwkv::weights
