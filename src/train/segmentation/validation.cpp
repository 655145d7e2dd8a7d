#include "train/segmentation/validation.h"

#include <algorithm>
#include <future>
#include <memory>
#include <optional>

#include "core/model_description.h"
#include "core/text.h"
#include "data/codecs/read.h"
#include "judge/metrics.h"
#include "predict/predictor.h"
#include "train/segmentation/strip.h"
#include "train/task/panels.h"

namespace medurwkv::train {

Validated validate(Engine& engine, data::CaseCache& cases, const ValidationPart& part) {
  const std::vector<ClassInfo>& classes = engine.description().classes;
  const std::size_t mine = (part.count + part.parts - 1 - part.part) / part.parts;
  const std::size_t shown = std::min(part.pictures, mine);
  const auto read = [&](std::size_t i) {
    return i < mine ? cases.get(part.first + part.part + i * part.parts) : nullptr;
  };
  Validated out;
  std::vector<data::Image> rows;
  std::shared_ptr<const data::LoadedCase> item = read(0);
  for (std::size_t i = 0; i < mine; ++i) {
    auto next = std::async(std::launch::async, read, i + 1);
    const data::LabelMap predicted =
        predict::predict_named(engine, item->image, concat("case ", item->id)).labels;
    const std::optional<double> dice =
        judge::mean_dice(item->id, item->labels, predicted, classes.size());
    // Spread evenly: as often as the share of cases seen passes a whole number of pictures.
    if ((i + 1) * shown / mine > i * shown / mine) {
      rows.push_back(strip_row(item->image, item->labels, predicted, classes));
    }
    item = next.get();
    if (!dice) continue;
    out.sum += *dice;
    ++out.used;
  }
  if (!rows.empty()) out.strip = data::encode_png(stacked(rows));
  return out;
}

}  // namespace medurwkv::train
