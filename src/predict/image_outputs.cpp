#include "predict/image_outputs.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/unicode.h"
#include "data/codecs/png_writer.h"
#include "data/codecs/read.h"
#include "predict/contours.h"
#include "predict/overlay.h"

namespace medurwkv::predict {
namespace {

using nlohmann::json;

/// The bytes of one output.
std::string encoded(const Output& output, const data::Image& image, const Prediction& prediction,
                    const std::vector<float>& unsure, const Destination& to) {
  const std::vector<ClassInfo>& classes = to.classes;
  const auto& [labels, probabilities] = prediction;
  const data::ImageSize size{labels.width, labels.height};
  switch (output.what) {
    case What::mask: return data::encode_png(labels, classes);
    case What::overlay: return data::encode_png(overlay(image, labels, classes));
    case What::unsure: return encode_gray(unsure.data(), size, false);
    case What::contours:
      return to.options.geojson ? contours_geojson(labels, classes)
                                : contours_json(labels, classes);
    case What::probabilities:
      if (output.class_index == 0) {
        return encode_npy(probabilities, std::ssize(classes), size);
      }
      return encode_gray(probabilities.data() + output.class_index * labels.labels.size(), size,
                         true);
  }
  throw_internal("unknown output");
}

}  // namespace

void count_classes(const data::LabelMap& labels, std::vector<std::int64_t>& sums) {
  for (const std::uint8_t label : labels.labels) {
    if (label < sums.size()) ++sums[label];
  }
}

json described(const Destination& to, data::ImageSize size, std::int64_t pixels,
               const std::vector<std::int64_t>& class_pixels, double unsure) {
  json out{{"input", manifest_name_of(to.job.input())},
           {"sha256", to.sha256.front()},
           {"width", size.width},
           {"height", size.height},
           {"class_pixels", class_pixels},
           {"unsure", pixels > 0 ? unsure / static_cast<double>(pixels) : 0},
           {"outputs", json::array()}};
  if (to.job.inputs.size() == 1) return out;
  for (std::size_t i = 0; i < to.job.inputs.size(); ++i) {
    out["inputs"].push_back(
        {{"input", manifest_name_of(to.job.inputs[i])}, {"sha256", to.sha256[i]}});
  }
  return out;
}

json output_entry(const Output& output, const std::string& sha256) {
  return {{"file", readable(output.file.generic_string())},
          {"sha256", sha256},
          {"what", to_string(output.what)}};
}

std::vector<std::string> options_for_whole_images(const OutputOptions& options) {
  std::vector<std::string> out;
  if (options.overlay) out.emplace_back("--overlay");
  if (options.probabilities == Probabilities::npy) out.emplace_back("--probabilities npy");
  if (options.contours) out.emplace_back("--contours");
  if (options.post.fill_holes) out.emplace_back("--fill-holes");
  if (options.post.largest) out.emplace_back("--largest");
  if (options.post.min_area > 1) out.emplace_back("--min-area");
  return out;
}

json write_outputs(const Destination& to, const data::Image& image, Prediction prediction) {
  decide(prediction, to.classes.size(), to.temperature, to.options.post);
  const data::LabelMap& labels = prediction.labels;
  const std::vector<float> unsure = unsureness(prediction.probabilities, to.classes.size());
  std::vector<std::int64_t> class_pixels(to.classes.size(), 0);
  count_classes(labels, class_pixels);
  double sum = 0;
  for (const float one : unsure) sum += one;
  json entry =
      described(to, {labels.width, labels.height}, labels.width * labels.height, class_pixels, sum);
  make_folder((to.out / to.job.outputs.front().file).folder());
  for (const Output& one : to.job.outputs) {
    const std::string bytes = encoded(one, image, prediction, unsure, to);
    write_file(to.out / one.file, bytes);
    entry["outputs"].push_back(output_entry(one, sha256(bytes)));
  }
  return entry;
}

struct RowOutputs::File {
  File(const Output& output, const OutputPath& path, const data::PngForm& form)
      : what(output), file(path), png(form, [this](std::string_view bytes) {
          file.append(bytes);
          hash.add(bytes);
        }) {}

  void add(std::span<const unsigned char> samples, std::int64_t rows) {
    const std::size_t row = samples.size() / static_cast<std::size_t>(rows);
    for (std::size_t at = 0; at < samples.size(); at += row) png.row(samples.subspan(at, row));
  }

  const Output& what;
  PendingFile file;
  Sha256 hash;
  data::PngWriter png;
};

RowOutputs::RowOutputs(Destination to, data::ImageSize size)
    : to_(std::move(to)), size_(size), class_pixels_(to_.classes.size(), 0) {
  make_folder((to_.out / to_.job.outputs.front().file).folder());
  for (const Output& one : to_.job.outputs) {
    data::PngForm form{.size = size};
    if (one.what == What::mask) form.labels = &to_.classes;
    form.wide = one.what == What::probabilities;
    files_.push_back(std::make_unique<File>(one, to_.out / one.file, form));
  }
}

RowOutputs::~RowOutputs() = default;

void RowOutputs::add(PredictedRows rows) {
  const std::size_t classes = to_.classes.size();
  Prediction decided{.labels = likeliest_class(rows.probabilities, classes, rows.size),
                     .probabilities = std::move(rows.probabilities)};
  // No correction is among the options: those need whole images.
  decide(decided, classes, to_.temperature, to_.options.post);
  const auto& [labels, probabilities] = decided;
  const std::vector<float> unsure = unsureness(probabilities, classes);
  count_classes(labels, class_pixels_);
  for (const float one : unsure) unsure_ += one;
  const auto plane = static_cast<std::size_t>(rows.size.width * rows.size.height);
  for (const auto& file : files_) {
    const Output& output = file->what;
    if (output.what == What::mask) {
      file->add(labels.labels, rows.size.height);
    } else {
      const bool wide = output.what == What::probabilities;
      const float* values =
          wide ? probabilities.data() + output.class_index * plane : unsure.data();
      file->add(gray_samples({values, plane}, wide), rows.size.height);
    }
  }
}

json RowOutputs::finish() {
  json entry = described(to_, size_, size_.width * size_.height, class_pixels_, unsure_);
  for (const auto& file : files_) {
    file->file.keep();
    entry["outputs"].push_back(output_entry(file->what, file->hash.finish()));
  }
  return entry;
}

}  // namespace medurwkv::predict
