// An image predicted by tiles from its top to its bottom: rows of it are read, rows of
// probabilities are given, and memory grows with its width, not with its height. Relies on
// predict/predictor.h, predict/tiles.h and data/codecs/image_rows.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/listener.h"
#include "data/codecs/image_rows.h"
#include "predict/predictor.h"

namespace medurwkv::predict {

/// The size of a model's tiles, where it sees images by tiles: that of its input for one that was
/// trained on tiles; `side` x `side` where that is not 0, also for one that sees images as they
/// are.
std::optional<data::ImageSize> tile_of(const InputContract& input, std::int64_t side);

/// That of all models, where they have one and the same.
std::optional<data::ImageSize> tile_of(const Ensemble& ensemble);

/// Throws a usage Error naming the first model that cannot see tiles of Ensemble::tile_side,
/// because it was trained on images of another size than their own.
void check_tiles(const Ensemble& ensemble);

/// Rows of an image whose probabilities are known.
struct PredictedRows {
  std::int64_t first = 0;
  data::ImageSize size;              ///< the image's width, how many rows
  std::vector<float> probabilities;  ///< classes x size.height x size.width, sum 1 per pixel
};

/// Rows are read and given so many at a time.
inline constexpr std::int64_t rows_at_once = 64;

/// Bytes that predict_rows takes, beside what the networks take: docs/predict.md has the formula.
std::int64_t tiles_memory(const Ensemble& ensemble, data::ImageSize tile,
                          const data::ImageRows& image);

/// Predicts `image`, of which no row has been read and which has the windows that the models want,
/// by tiles of `tile` (predict/tiles.h), and gives every row once, from the top. A tile gives the
/// mean over all models and mirror images of the tile, as predict_image of it does; where tiles
/// overlap, their weighted mean. Throws as predict_image, what `take` throws, and Stopped between
/// two tiles when the listener asks to stop.
void predict_rows(const Ensemble& ensemble, data::ImageSize tile, data::ImageRows& image,
                  const std::function<void(PredictedRows)>& take,
                  const Listener& listener = silence());

}  // namespace medurwkv::predict
