#include "train/segmentation/validation.h"

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/model_description.h"
#include "core/text.h"
#include "core/threads.h"
#include "data/codecs/image_rows.h"
#include "data/codecs/read.h"
#include "judge/metrics.h"
#include "predict/predictor.h"
#include "predict/tile_run.h"

namespace medurwkv::train {
namespace {

using LoadedBatch = std::vector<std::shared_ptr<const data::LoadedCase>>;

/// Decoded cases of a batch, beyond its first, take no more.
constexpr std::int64_t most_bytes = 64'000'000;

/// The prediction for one case, and its Dice.
struct Judged {
  data::LabelMap predicted;
  std::optional<double> dice;
};

/// As predict makes it of an image that the model sees by tiles.
data::LabelMap labels_by_tiles(Engine& engine, data::ImageSize tile, const data::Image& image) {
  const std::size_t classes = engine.description().classes.size();
  data::LabelMap out{image.width, image.height, {}};
  predict::predict_rows(
      engine, tile, *data::rows_of(image), [&](const predict::PredictedRows& rows) {
        const data::LabelMap part =
            predict::likeliest_class(rows.probabilities, classes, rows.size);
        out.labels.insert(out.labels.end(), part.labels.begin(), part.labels.end());
      });
  return out;
}

std::vector<Judged> judged_by_tiles(Engine& engine, data::ImageSize tile,
                                    const LoadedBatch& batch) {
  std::vector<Judged> out;
  for (const auto& item : batch) {
    try {
      out.push_back({.predicted = labels_by_tiles(engine, tile, item->image), .dice = {}});
    } catch (const Error& error) {
      throw Error(error.kind(), concat("case ", item->id, ": ", error.what()));
    }
    out.back().dice = judge::mean_dice(item->id, item->labels, out.back().predicted,
                                       engine.description().classes.size());
  }
  return out;
}

std::vector<Judged> judged(Engine& engine, const LoadedBatch& batch) {
  const ModelDescription& model = engine.description();
  if (const auto tile = predict::tile_of(model.input, 0)) {
    return judged_by_tiles(engine, *tile, batch);
  }
  std::vector<const data::Image*> images;
  for (const auto& item : batch) images.push_back(&item->image);
  std::vector<predict::NetworkOutput> outputs;
  try {
    outputs = predict::run_network(engine, images);
  } catch (const Error& error) {
    const std::string last = batch.size() > 1 ? concat(" to ", batch.back()->id) : "";
    throw Error(error.kind(), concat("case ", batch.front()->id, last, ": ", error.what()));
  }
  std::vector<Judged> out(batch.size());
  parallel_for(std::ssize(batch), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const data::LoadedCase& item = *batch[i];
      out[i].predicted =
          predict::likeliest_class(predict::probabilities_of(std::move(outputs[i]), model),
                                   model.classes.size(), {item.image.width, item.image.height});
      out[i].dice = judge::mean_dice(item.id, item.labels, out[i].predicted, model.classes.size());
    }
  });
  return out;
}

}  // namespace

Validated validate(Engine& engine, data::CaseCache& cases, const ValidationPart& part,
                   Strip& strip) {
  const std::vector<ClassInfo>& classes = engine.description().classes;
  const std::size_t mine = (part.count + part.parts - 1 - part.part) / part.parts;
  const std::size_t shown = std::min(part.pictures, mine);
  const auto read = [&](std::size_t first) {
    LoadedBatch out;
    std::int64_t bytes = 0;
    while (first + out.size() < mine && out.size() < std::max<std::size_t>(1, part.batch) &&
           bytes < most_bytes) {
      out.push_back(cases.get(part.first + part.part + (first + out.size()) * part.parts));
      bytes += out.back()->bytes();
    }
    return out;
  };
  Validated out;
  LoadedBatch batch = read(0);
  for (std::size_t first = 0; first < mine;) {
    auto next = std::async(std::launch::async, read, first + batch.size());
    const std::vector<Judged> results = judged(engine, batch);
    for (std::size_t k = 0; k < batch.size(); ++k) {
      const std::size_t i = first + k;
      // Spread evenly: as often as the share of cases seen passes a whole number of pictures.
      if (const std::size_t row = i * shown / mine; (i + 1) * shown / mine > row) {
        strip.draw(row, batch[k]->image, batch[k]->labels, results[k].predicted, classes);
      }
      if (!results[k].dice) continue;
      out.sum += *results[k].dice;
      ++out.used;
    }
    first += batch.size();
    batch = next.get();
  }
  return out;
}

}  // namespace medurwkv::train
