#include "train/segmentation/calibration.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/image_rows.h"
#include "judge/calibration.h"
#include "predict/predictor.h"
#include "predict/temperature.h"
#include "predict/tile_run.h"

namespace medurwkv::train {
namespace {

/// Pixels of the sample, and its probabilities: at most 16 MB. Samples of so many pixels of 510,080
/// gave temperatures within 0.3 % of that of all (docs/performance.md).
constexpr std::size_t most_pixels = 1 << 18;
constexpr std::size_t most_numbers = 1 << 22;

/// The mean probabilities as they are before a temperature acts.
void add_case(Engine& engine, const data::LoadedCase& item, predict::PixelSample& sample) {
  const ModelDescription& model = engine.description();
  const std::span<const std::uint8_t> truth = item.labels.labels;
  if (const auto tile = predict::tile_of(model.input, 0)) {
    // Row by row: the probabilities of a large image need not fit into memory.
    predict::predict_rows(
        engine, *tile, *data::rows_of(item.image), [&](const predict::PredictedRows& rows) {
          const auto width = static_cast<std::size_t>(rows.size.width);
          sample.add(truth.subspan(static_cast<std::size_t>(rows.first) * width,
                                   static_cast<std::size_t>(rows.size.height) * width),
                     rows.probabilities);
        });
    return;
  }
  const data::Image* image = &item.image;
  std::vector<predict::NetworkOutput> outputs = predict::run_network(engine, {&image, 1});
  sample.add(truth, predict::probabilities_of(std::move(outputs.front()), model));
}

/// The expected calibration error of the pixels' likeliest classes.
double calibration_error(const predict::TruePixels& pixels, const data::LabelMap& labels) {
  judge::Calibration out;
  out.add({labels.width, labels.height, pixels.truth}, labels, pixels.probabilities);
  return out.all.expected_error().value();
}

}  // namespace

std::optional<FittedTemperature> calibrate(Engine& engine, data::CaseCache& cases,
                                           std::size_t first, std::size_t count,
                                           Listener& listener) {
  const std::size_t class_count = engine.description().classes.size();
  predict::PixelSample sample(class_count, std::min(most_pixels, most_numbers / class_count));
  for (std::size_t i = 0; i < count; ++i) {
    throw_if_stopped(listener);
    const std::shared_ptr<const data::LoadedCase> item = cases.get(first + i);
    try {
      add_case(engine, *item, sample);
    } catch (const Error& error) {
      throw Error(error.kind(), concat("case ", item->id, ": ", error.what()));
    }
    listener.progress("calibrating", static_cast<std::int64_t>(i + 1),
                      static_cast<std::int64_t>(count), item->id);
  }
  FittedTemperature out;
  out.pixels = sample.seen();
  predict::TruePixels pixels = sample.take();
  if (pixels.truth.empty()) return std::nullopt;
  const predict::TemperatureFit fit = predict::fit_temperature(pixels, class_count);
  const std::int64_t used = std::ssize(pixels.truth);
  const data::LabelMap labels =
      predict::likeliest_class(pixels.probabilities, class_count, {used, 1});
  out.temperature = fit.temperature;
  out.at_bound = fit.at_bound;
  out.used = used;
  out.likelihood_before = fit.likelihood_before;
  out.likelihood_after = fit.likelihood_after;
  out.error_before = calibration_error(pixels, labels);
  predict::apply_temperature(pixels.probabilities, class_count, fit.temperature);
  out.error_after = calibration_error(pixels, labels);
  return out;
}

}  // namespace medurwkv::train
