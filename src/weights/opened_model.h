// A model file that is to be run, as every engine opens it. Relies on weights/weights_source.h and
// weights/contents.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/model_description.h"
#include "core/regions.h"
#include "net/config.h"
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

/// A network with the weights of a file, or without any.
struct SourcedNetwork {
  net::NetworkConfig network;
  std::int64_t width = 256;  ///< of its images
  std::int64_t height = 256;
  Regions regions = {};
  std::shared_ptr<const WeightsSource> file = {};  ///< null: start values
  std::map<std::string, double> int8_ranges = {};  ///< weights/model_file.h

  /// Logits of the image, not of its pixels.
  [[nodiscard]] bool classifies() const {
    return network.architecture == net::Architecture::classifier;
  }
};

/// A model file's of any task. Throws Error naming the file.
SourcedNetwork network_of(const std::filesystem::path& path);

}  // namespace medurwkv::weights
