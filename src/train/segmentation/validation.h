// How good a network is on the validation part, and the pictures of it. Relies on core/engine.h,
// data, judge and predict; not on LibTorch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/engine.h"
#include "data/feed/case_cache.h"

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
  /// PNG: a row per shown case, each image | truth | prediction; empty without any.
  std::string strip;
};

/// Reads a batch while the network runs on the one before.
Validated validate(Engine& engine, data::CaseCache& cases, const ValidationPart& part);

}  // namespace medurwkv::train
