// How good a network is on the validation part, and the pictures of it. Relies on core/engine.h,
// data, judge, predict and train/segmentation/strip.h; not on LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/engine.h"
#include "data/feed/case_cache.h"
#include "train/segmentation/strip.h"

namespace medurwkv::train {

/// The validation cases of a cache, and how many of them are shown.
struct ValidationPart {
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t batch = 1;     ///< at most so many run together
  std::size_t pictures = 0;  ///< spread evenly, the same in every epoch
  /// Of `parts` that share the cases, case by case in turn, only this one's are judged.
  std::size_t part = 0;
  std::size_t parts = 1;
};

struct Validated {
  double sum = 0;         ///< of Dice over cases at their own resolution
  std::int64_t used = 0;  ///< how many cases have one
};

/// Reads a batch while the network runs on the one before. Draws the cases to be shown into
/// `strip`, which has those of every call.
Validated validate(Engine& engine, data::CaseCache& cases, const ValidationPart& part,
                   Strip& strip);

}  // namespace medurwkv::train
