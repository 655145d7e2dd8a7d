#include "predict/volume_run.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/output.h"
#include "core/text.h"
#include "data/layout/dataset.h"
#include "data/volumes/planes.h"
#include "data/volumes/segmentation.h"
#include "data/volumes/series.h"
#include "data/volumes/writer.h"
#include "predict/structure_set.h"

namespace medurwkv::predict {

namespace fs = std::filesystem;

PredictedVolume predict_volume(const Ensemble& ensemble, const Destination& to,
                               const SliceDone& slice_done) {
  PredictedVolume out{.like = data::read_volume(to.job.input()),
                      .labels = {},
                      .class_voxels = std::vector<std::int64_t>(to.classes.size())};
  const data::Volume seen = data::seen_in(out.like, plane_of(ensemble.engines));
  data::Case item;
  for (const fs::path& input : to.job.inputs) {
    const data::Volume own = data::read_volume(input);
    if (own.sides() != out.like.sides()) {
      throw_failure(concat(input.string(), ": has another size than ", to.job.input().string(),
                           "; files of a case must have one size"));
    }
    item.images.push_back(
        {.file = input,
         .volume = std::make_shared<const data::Volume>(data::turned(own, seen.turn))});
  }
  const bool probable = to.options.probabilities == Probabilities::volume;
  const std::int64_t floats =
      (probable ? std::ssize(to.classes) - 1 : 0) + (to.options.unsure ? 1 : 0);
  const bool turned = seen.turn != data::Turn{};
  const MemoryClaim claim(to.job.input().string(),
                          (turned ? 2 : 1) * out.like.voxels() *
                              (1 + static_cast<std::int64_t>(sizeof(float)) * floats));
  const std::vector<OwnWindow> wanted = wanted_windows(ensemble.engines);
  out.labels.reserve(static_cast<std::size_t>(out.like.voxels()));
  if (probable) out.probabilities.resize(to.classes.size() - 1);
  for (std::int64_t slice = 0; slice < seen.slices; ++slice) {
    for (data::ImageSource& image : item.images) image.slice = slice;
    Prediction prediction = predict_image(ensemble, data::read_image(item, wanted));
    decide(prediction, to.classes.size(), to.temperature, to.options.post);
    const std::vector<std::uint8_t>& labels = prediction.labels.labels;
    out.labels.insert(out.labels.end(), labels.begin(), labels.end());
    count_classes(prediction.labels, out.class_voxels);
    const std::vector<float> unsure = unsureness(prediction.probabilities, to.classes.size());
    for (const float one : unsure) out.unsure += static_cast<double>(one);
    if (to.options.unsure) {
      out.unsureness.insert(out.unsureness.end(), unsure.begin(), unsure.end());
    }
    for (std::size_t c = 0; c < out.probabilities.size(); ++c) {
      const auto from =
          prediction.probabilities.begin() + static_cast<std::ptrdiff_t>((c + 1) * labels.size());
      out.probabilities[c].insert(out.probabilities[c].end(), from,
                                  from + static_cast<std::ptrdiff_t>(labels.size()));
    }
    if (slice_done) slice_done(slice + 1, seen.slices);
  }
  if (!turned) return out;
  out.labels = data::in_stored_order<std::uint8_t>(seen, out.labels);
  for (std::vector<float>& one : out.probabilities) {
    one = data::in_stored_order<float>(seen, one);
  }
  if (to.options.unsure) out.unsureness = data::in_stored_order<float>(seen, out.unsureness);
  return out;
}

namespace {

/// Probabilities of 0 to 1 as 0 to 255.
std::vector<std::vector<std::uint8_t>> in_bytes(const std::vector<std::vector<float>>& values) {
  std::vector<std::vector<std::uint8_t>> out;
  for (const std::vector<float>& own : values) {
    const std::vector<unsigned char> bytes = gray_samples(own, false);
    out.emplace_back(bytes.begin(), bytes.end());
  }
  return out;
}

std::string encoded(const Destination& to, const Output& output, const PredictedVolume& volume) {
  const data::Volume& like = volume.like;
  const bool dicom = to.job.as.format == data::VolumeFormat::dicom;
  // The same labels of the same images have the same identifiers.
  const std::string seed =
      dicom || output.what == What::contours
          ? concat(like.dicom->slices.front().file->instance, " ",
                   sha256(std::string(volume.labels.begin(), volume.labels.end())), " ",
                   to_string(output.what))
          : "";
  switch (output.what) {
    case What::mask:
      return dicom ? data::encode_segmentation(like, volume.labels, to.classes, seed)
                   : data::encode_labels(like, volume.labels, to.job.as);
    case What::probabilities:
      return dicom ? data::encode_probabilities(like, in_bytes(volume.probabilities), to.classes,
                                                seed)
                   : data::encode_values(like, volume.probabilities.at(output.class_index - 1),
                                         to.job.as);
    case What::unsure: return data::encode_values(like, volume.unsureness, to.job.as);
    case What::contours: return encode_structure_set(like, volume.labels, to.classes, seed);
    case What::overlay: break;
  }
  throw_internal("an output that volumes do not have");
}

}  // namespace

nlohmann::json write_volume(const Destination& to, const PredictedVolume& volume) {
  const data::Volume& like = volume.like;
  nlohmann::json entry =
      described(to, {like.columns, like.rows}, like.voxels(), volume.class_voxels, volume.unsure);
  entry["slices"] = like.slices;
  make_folder((to.out / to.job.outputs.front().file).folder());
  for (const Output& one : to.job.outputs) {
    const std::string bytes = encoded(to, one, volume);
    write_file(to.out / one.file, bytes);
    entry["outputs"].push_back(output_entry(one, sha256(bytes)));
  }
  return entry;
}

}  // namespace medurwkv::predict
