#include "predict/volume_run.h"

#include <filesystem>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/output.h"
#include "core/text.h"
#include "data/layout/dataset.h"
#include "data/volumes/writer.h"

namespace medurwkv::predict {

namespace fs = std::filesystem;

PredictedVolume predict_volume(const Ensemble& ensemble, const Destination& to,
                               const SliceDone& slice_done) {
  PredictedVolume out{.like = data::read_volume(to.job.input()),
                      .labels = {},
                      .class_voxels = std::vector<std::int64_t>(to.classes.size())};
  data::Case item;
  for (const fs::path& input : to.job.inputs) {
    const data::Volume own = data::read_volume(input);
    if (own.sides() != out.like.sides()) {
      throw_failure(concat(input.string(), ": has another size than ", to.job.input().string(),
                           "; files of a case must have one size"));
    }
    item.images.push_back({.file = input});
  }
  const MemoryClaim claim(to.job.input().string(), out.like.voxels());
  out.labels.reserve(static_cast<std::size_t>(out.like.voxels()));
  for (std::int64_t slice = 0; slice < out.like.slices; ++slice) {
    for (data::ImageSource& image : item.images) image.slice = slice;
    Prediction prediction = predict_image(ensemble, data::read_image(item));
    decide(prediction, to.classes.size(), to.temperature, to.options.post);
    const std::vector<std::uint8_t>& labels = prediction.labels.labels;
    out.labels.insert(out.labels.end(), labels.begin(), labels.end());
    count_classes(prediction.labels, out.class_voxels);
    for (const float one : unsureness(prediction.probabilities, to.classes.size())) {
      out.unsure += static_cast<double>(one);
    }
    if (slice_done) slice_done(slice + 1, out.like.slices);
  }
  return out;
}

nlohmann::json write_volume(const Destination& to, const PredictedVolume& volume) {
  const data::Volume& like = volume.like;
  nlohmann::json entry =
      described(to, {like.columns, like.rows}, like.voxels(), volume.class_voxels, volume.unsure);
  entry["slices"] = like.slices;
  const Output& mask = to.job.outputs.front();
  make_folder((to.out / mask.file).folder());
  const std::string bytes = data::encode_labels(like, volume.labels);
  write_file(to.out / mask.file, bytes);
  entry["outputs"].push_back(output_entry(mask, sha256(bytes)));
  return entry;
}

}  // namespace medurwkv::predict
