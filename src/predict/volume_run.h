// A volume predicted slice by slice, and its labels written where it lies. Relies on
// predict/image_outputs.h and data/volumes/writer.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/volumes/volume.h"
#include "predict/image_outputs.h"
#include "predict/predictor.h"

namespace medurwkv::predict {

struct PredictedVolume {
  data::Volume like;                 ///< the first input, as stored
  std::vector<std::uint8_t> labels;  ///< slices x rows x columns
  std::vector<std::int64_t> class_voxels;
  double unsure = 0;  ///< sum over the voxels
  /// Where they are asked for: slices x rows x columns for each class but the background, and of
  /// the unsureness.
  std::vector<std::vector<float>> probabilities{};
  std::vector<float> unsureness{};
};

/// Called after each slice with how many are done, of how many; may be empty.
using SliceDone = std::function<void(std::int64_t done, std::int64_t slices)>;

/// Each slice of the models' plane as an image by itself, corrections included. The result lies as
/// the file does. Throws Error as predict_image, and where
/// the job's volumes do not agree in size.
PredictedVolume predict_volume(const Ensemble& ensemble, const Destination& to,
                               const SliceDone& slice_done);

/// Writes the labels. Returns the volume's entry of the manifest. Throws Error naming a file that
/// cannot be written.
nlohmann::json write_volume(const Destination& to, const PredictedVolume& volume);

}  // namespace medurwkv::predict
