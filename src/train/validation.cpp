#include "train/validation.h"

#include <algorithm>
#include <future>
#include <limits>
#include <memory>

#include "judge/metrics.h"
#include "predict/predictor.h"
#include "train/strip.h"

namespace medurwkv::train {

Validated validate(Engine& engine, data::CaseCache& cases, const ValidationPart& part) {
  const std::vector<ClassInfo>& classes = engine.description().classes;
  const std::size_t shown = std::min(part.pictures, part.count);
  const auto read = [&](std::size_t i) {
    return i < part.count ? cases.get(part.first + i) : nullptr;
  };
  double sum = 0;
  std::int64_t used = 0;
  std::vector<data::Image> rows;
  std::shared_ptr<const data::LoadedCase> item = read(0);
  for (std::size_t i = 0; i < part.count; ++i) {
    auto next = std::async(std::launch::async, read, i + 1);
    const data::LabelMap predicted = predict::predict_image(engine, item->image).labels;
    const judge::CaseScores scores =
        judge::score_case(item->id, item->labels, predicted, classes.size());
    // Spread evenly: as often as the share of cases seen passes a whole number of pictures.
    if ((i + 1) * shown / part.count > i * shown / part.count) {
      rows.push_back(strip_row(item->image, item->labels, predicted, classes));
    }
    item = next.get();
    if (!scores.dice()) continue;
    sum += *scores.dice();
    ++used;
  }
  return {
      .dice = used > 0 ? sum / static_cast<double>(used) : std::numeric_limits<double>::quiet_NaN(),
      .strip = rows.empty() ? std::string() : data::encode_png(stacked(rows))};
}

}  // namespace medurwkv::train
