#include "predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/memory.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/codecs/own_windows.h"
#include "data/image/levels.h"
#include "predict/average.h"
#include "predict/regions.h"
#include "predict/temperature.h"
#include "predict/tile_run.h"

namespace medurwkv::predict {

namespace {

void check_logits(const std::vector<float>& logits, const ModelDescription& model) {
  if (!std::all_of(logits.begin(), logits.end(),
                   [](float value) { return std::isfinite(value); })) {
    throw_failure(concat(model.file,
                         ": the model's output is not finite (NaN or infinity); its "
                         "weights are damaged or its training diverged"));
  }
}

/// Gray is repeated for a model of three channels, but not for one of three files a case.
void check_channels(const data::Image& image, const ModelDescription& model) {
  const InputContract& input = model.input;
  const auto use = data::channel_use(image.channels, input.channels);
  if (use == data::ChannelUse::same || (use && input.files == 1)) return;
  throw_failure(concat(
      data::channels_differ("model", input.channels, image.channels),
      input.files > 1
          ? concat("; it was trained on ", input.files,
                   " files a case, which are joined in a folder whose images are all named "
                   "CASE_0000, CASE_0001, ...")
          : concat("; it needs a model that was trained with network.channels=", image.channels)));
}

/// (across, down) of every view of an image.
std::vector<std::pair<bool, bool>> mirrorings(bool flips) {
  if (!flips) return {{false, false}};
  return {{false, false}, {true, false}, {false, true}, {true, true}};
}

/// Planes of `size`, mirrored in place.
void mirror_planes(std::vector<float>& planes, data::ImageSize size, bool across, bool down) {
  const auto width = static_cast<std::ptrdiff_t>(size.width);
  const std::ptrdiff_t area = width * static_cast<std::ptrdiff_t>(size.height);
  for (auto plane = planes.begin(); plane != planes.end(); plane += area) {
    // All pixels backwards are both mirrorings at once.
    if (down) std::reverse(plane, plane + area);
    if (across == down) continue;
    for (auto row = plane; row != plane + area; row += width) std::reverse(row, row + width);
  }
}

/// Those that the image was read with, or of its own values where it is an array.
std::vector<data::FoundWindows> windows_in(const Ensemble& ensemble, const data::Image& image) {
  return data::find_windows(image, wanted_windows(ensemble.engines),
                            ensemble.engines.front()->description().input.files == 1);
}

}  // namespace

void softmax_over_classes(std::vector<float>& logits, std::size_t class_count) {
  const std::size_t pixels = logits.size() / class_count;
  for (std::size_t i = 0; i < pixels; ++i) {
    float largest = logits[i];
    for (std::size_t c = 1; c < class_count; ++c) {
      largest = std::max(largest, logits[c * pixels + i]);
    }
    float sum = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      float& value = logits[c * pixels + i];
      value = std::exp(value - largest);
      sum += value;
    }
    for (std::size_t c = 0; c < class_count; ++c) logits[c * pixels + i] /= sum;
  }
}

data::LabelMap likeliest_class(const std::vector<float>& probabilities, std::size_t class_count,
                               data::ImageSize size) {
  const auto pixels = static_cast<std::size_t>(size.width * size.height);
  data::LabelMap out{size.width, size.height, std::vector<std::uint8_t>(pixels, 0)};
  std::vector<float> best(probabilities.begin(),
                          probabilities.begin() + static_cast<std::ptrdiff_t>(pixels));
  for (std::size_t c = 1; c < class_count; ++c) {
    const float* plane = probabilities.data() + c * pixels;
    for (std::size_t i = 0; i < pixels; ++i) {
      if (plane[i] <= best[i]) continue;
      best[i] = plane[i];
      out.labels[i] = static_cast<std::uint8_t>(c);
    }
  }
  return out;
}

std::vector<OwnWindow> wanted_windows(const std::vector<Engine*>& engines) {
  std::vector<OwnWindow> out;
  for (const Engine* engine : engines) data::add_wanted(engine->description().input, out);
  return out;
}

Plane plane_of(const std::vector<Engine*>& engines) {
  const ModelDescription& first = engines.front()->description();
  for (const Engine* engine : engines) {
    const ModelDescription& other = engine->description();
    if (other.input.plane == first.input.plane) continue;
    throw_usage(concat(other.file, ": sees ", to_string(other.input.plane), " slices of volumes, ",
                       first.file, " ", to_string(first.input.plane),
                       " ones; only models of the same slices are averaged"));
  }
  return first.input.plane;
}

void check_same_classes(const Ensemble& ensemble) {
  const ModelDescription& first = ensemble.engines.front()->description();
  const auto names = [](const ModelDescription& model) {
    std::vector<std::string> out;
    for (const ClassInfo& one : model.classes) out.push_back(one.name);
    return join(out, ", ");
  };
  for (const Engine* engine : ensemble.engines) {
    const ModelDescription& other = engine->description();
    if (names(other) == names(first)) continue;
    throw_usage(concat(other.file, ": has the classes ", names(other), ", ", first.file, " has ",
                       names(first), "; only models of the same classes are averaged"));
  }
}

std::vector<NetworkOutput> run_network(Engine& engine, std::span<const data::Image* const> images) {
  const ModelDescription& model = engine.description();
  if (model.classes.size() < 2 || model.classes.size() > ignore_label) {
    throw_internal(concat("a model with ", model.classes.size(), " classes"));
  }
  std::vector<NetworkOutput> out;
  for (const data::Image* image : images) {
    check_channels(*image, model);
    const data::ImageSize size{image->width, image->height};
    out.push_back({.logits = {}, .where = data::placement_of(model.input, size), .image = size});
  }
  for (std::size_t first = 0, end = 0; first < out.size(); first = end) {
    const data::ImageSize size = out[first].where.input;
    while (end < out.size() && out[end].where.input == size) ++end;
    const BatchShape shape{static_cast<std::int64_t>(end - first), size.height, size.width};
    std::vector<float> input;
    if (shape.images == 1) {  // not copied
      input = data::to_network_input(*images[first], model.input);
    } else {
      const std::int64_t numbers = model.input.channels * size.height * size.width;
      input.resize(static_cast<std::size_t>(shape.images * numbers));
      parallel_for(shape.images, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t i = from; i < to; ++i) {
          const std::vector<float> one =
              data::to_network_input(*images[first + static_cast<std::size_t>(i)], model.input);
          std::copy(one.begin(), one.end(), input.begin() + i * numbers);
        }
      });
    }
    std::vector<float> logits(static_cast<std::size_t>(model.outputs() * shape.pixels()));
    engine.run(shape, input, logits);
    check_logits(logits, model);
    const std::ptrdiff_t each = std::ssize(logits) / shape.images;
    if (shape.images == 1) {
      out[first].logits = std::move(logits);
      continue;
    }
    for (std::size_t i = first; i < end; ++i) {
      const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(i - first) * each;
      out[i].logits.assign(begin, begin + each);
    }
  }
  return out;
}

std::vector<float> probabilities_of(NetworkOutput output, const ModelDescription& model) {
  if (!model.regions.empty()) output.logits = class_logits(output.logits, model.regions);
  softmax_over_classes(output.logits, model.classes.size());
  return data::to_image_size(std::move(output.logits), std::ssize(model.classes), output.where,
                             output.image);
}

data::Image mirrored(const data::Image& image, bool across, bool down) {
  data::Image out = image;
  const auto width = static_cast<std::size_t>(image.width);
  const auto height = static_cast<std::size_t>(image.height);
  if (width == 0 || height == 0) return out;
  const std::size_t pixel = image.bytes.size() / (width * height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t from_y = down ? height - 1 - y : y;
      const std::size_t from_x = across ? width - 1 - x : x;
      std::copy_n(
          image.bytes.begin() + static_cast<std::ptrdiff_t>((from_y * width + from_x) * pixel),
          pixel, out.bytes.begin() + static_cast<std::ptrdiff_t>((y * width + x) * pixel));
    }
  }
  return out;
}

std::int64_t prediction_bytes(const Ensemble& ensemble, const data::Image& image) {
  const auto classes = std::ssize(ensemble.engines.front()->description().classes);
  const bool several = ensemble.engines.size() > 1 || ensemble.flips;
  constexpr std::int64_t number = sizeof(float);
  const std::int64_t pixels = image.width * image.height;
  if (const auto tile = tile_of(ensemble)) {
    return pixels * (number * (classes + 1) + 1) +
           tiles_memory(ensemble, *tile, *data::rows_of(image));
  }
  // The image as floats; later probabilities of this view and of those before, one plane that is
  // being resized or compared, and labels.
  const std::int64_t planes = std::max(image.channels, classes * (several ? 2 : 1) + 1);
  return pixels * (number * planes + 1) + (ensemble.flips ? std::ssize(image.bytes) : 0);
}

std::vector<float> mean_probabilities(const Ensemble& ensemble, const data::Image& image) {
  Average average;
  // Of the image as it is: of a large one not every pixel is looked at.
  const std::vector<data::FoundWindows> windows = windows_in(ensemble, image);
  for (Engine* engine : ensemble.engines) {
    for (const auto& [across, down] : mirrorings(ensemble.flips)) {
      const bool turned = across || down;
      data::Image view = turned ? mirrored(image, across, down) : data::Image{};
      view.windows = windows;
      const data::Image* seen = turned ? &view : &image;
      std::vector<float> one = probabilities_of(std::move(run_network(*engine, {&seen, 1}).front()),
                                                engine->description());
      if (turned) mirror_planes(one, {image.width, image.height}, across, down);
      average.add(std::move(one));
    }
  }
  return average.take();
}

namespace {

/// As mean_probabilities, by tiles.
std::vector<float> tiled_probabilities(const Ensemble& ensemble, data::ImageSize tile,
                                       const data::Image& image) {
  const std::int64_t pixels = image.width * image.height;
  const auto classes = std::ssize(ensemble.engines.front()->description().classes);
  std::vector<float> out(static_cast<std::size_t>(classes * pixels));
  const std::unique_ptr<data::ImageRows> image_rows = data::rows_of(image);
  image_rows->set_windows(windows_in(ensemble, image));
  predict_rows(ensemble, tile, *image_rows, [&](const PredictedRows& rows) {
    const std::int64_t count = rows.size.width * rows.size.height;
    for (std::ptrdiff_t c = 0; c < classes; ++c) {
      std::copy_n(rows.probabilities.begin() + c * count, count,
                  out.begin() + c * pixels + rows.first * image.width);
    }
  });
  return out;
}

}  // namespace

Prediction predict_image(const Ensemble& ensemble, const data::Image& image) {
  const data::ImageSize size{image.width, image.height};
  const std::size_t class_count = ensemble.engines.front()->description().classes.size();
  const MemoryClaim claim(concat("probabilities of ", class_count, " classes at ", size.width,
                                 " x ", size.height, " pixels"),
                          prediction_bytes(ensemble, image));
  Prediction out;
  const auto mean_of = [&](const Ensemble& models) {
    const auto tile = tile_of(models);
    return tile ? tiled_probabilities(models, *tile, image) : mean_probabilities(models, image);
  };
  const auto sees_tiles = [&](const Engine* engine) {
    return tile_of(engine->description().input, ensemble.tile_side).has_value();
  };
  if (tile_of(ensemble) ||
      std::none_of(ensemble.engines.begin(), ensemble.engines.end(), sees_tiles)) {
    out.probabilities = mean_of(ensemble);
  } else {
    Average average;
    for (Engine* engine : ensemble.engines) {
      average.add(mean_of({{engine}, ensemble.flips, ensemble.tile_side}));
    }
    out.probabilities = average.take();
  }
  out.labels = likeliest_class(out.probabilities, class_count, size);
  return out;
}

Prediction predict_named(const Ensemble& ensemble, const data::Image& image,
                         const std::string& name) {
  try {
    return predict_image(ensemble, image);
  } catch (const Error& error) {
    throw Error(error.kind(), concat(name, ": ", error.what()));
  }
}

double temperature_of(const Ensemble& ensemble) {
  std::vector<std::optional<double>> temperatures;
  for (const Engine* engine : ensemble.engines) {
    temperatures.push_back(engine->description().temperature);
  }
  return common_temperature(temperatures);
}

void decide(Prediction& prediction, std::size_t class_count, double temperature,
            const PostOptions& options) {
  // After the likeliest classes were found: two probabilities that differ may be rounded to one.
  apply_temperature(prediction.probabilities, class_count, temperature);
  data::LabelMap& labels = prediction.labels;
  if (options.threshold) {
    labels = labels_at(prediction.probabilities, class_count, {labels.width, labels.height},
                       *options.threshold);
  }
  correct(labels, options);
}

std::vector<float> unsureness(const std::vector<float>& probabilities, std::size_t class_count) {
  const std::size_t pixels = probabilities.size() / class_count;
  std::vector<float> out(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    float first = 0;
    float second = 0;
    for (std::size_t c = 0; c < class_count; ++c) {
      const float value = probabilities[c * pixels + i];
      second = std::max(second, std::min(first, value));
      first = std::max(first, value);
    }
    out[i] = 1 - (first - second);
  }
  return out;
}

}  // namespace medurwkv::predict
