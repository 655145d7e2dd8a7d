// What a prediction run writes of one image: of a whole prediction, or row by row as it is made.
// Relies on predict/outputs.h, predict/tile_run.h, data/codecs and core/output.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/model_description.h"
#include "core/output.h"
#include "data/image/image.h"
#include "predict/outputs.h"
#include "predict/predictor.h"
#include "predict/tile_run.h"

namespace medurwkv::predict {

/// The options, as the commands spell them, for which an image and its probabilities must be in
/// memory as a whole; what else there is can be written row by row.
std::vector<std::string> options_for_whole_images(const OutputOptions& options);

/// What is written, and where.
struct Destination {
  const Job& job;
  const std::vector<std::string>& sha256;  ///< of each of its files
  OutputPath out;
  const OutputOptions& options;
  const std::vector<ClassInfo>& classes;
  double temperature = 1;  ///< that acts on the probabilities (predict/temperature.h)
};

/// Decides what the prediction comes to (predict/predictor.h) and writes everything. Returns the
/// image's entry of the manifest. Throws Error naming a file that cannot be written.
nlohmann::json write_outputs(const Destination& to, const data::Image& image,
                             Prediction prediction);

/// The image's entry of the manifest, still without outputs. `unsure`: the sum over `pixels`.
nlohmann::json described(const Destination& to, data::ImageSize size, std::int64_t pixels,
                         const std::vector<std::int64_t>& class_pixels, double unsure);
/// The entry of one of its outputs.
nlohmann::json output_entry(const Output& output, const std::string& sha256);
/// Pixels of each class, added to `sums`.
void count_classes(const data::LabelMap& labels, std::vector<std::int64_t>& sums);

/// The same, files and entry, of rows that come from the top to the bottom. Nothing is there before
/// finish(), and nothing without it.
class RowOutputs {
 public:
  /// Throws Error naming a file that cannot be made.
  RowOutputs(Destination to, data::ImageSize size);
  RowOutputs(const RowOutputs&) = delete;
  RowOutputs& operator=(const RowOutputs&) = delete;
  RowOutputs(RowOutputs&&) = delete;
  RowOutputs& operator=(RowOutputs&&) = delete;
  ~RowOutputs();

  /// Throws Error naming a file that cannot be written.
  void add(PredictedRows rows);
  /// To be called once, after the last row. Returns the image's entry of the manifest.
  nlohmann::json finish();

 private:
  struct File;

  Destination to_;
  data::ImageSize size_;
  std::vector<std::int64_t> class_pixels_;
  double unsure_ = 0;
  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace medurwkv::predict
