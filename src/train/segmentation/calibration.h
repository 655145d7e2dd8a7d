// The temperature of a model, fitted on the validation part when a run ends. Relies on
// core/engine.h, data, judge, predict and train/run/record.h; not on LibTorch.
#pragma once

#include <cstddef>
#include <optional>

#include "core/engine.h"
#include "core/listener.h"
#include "data/feed/case_cache.h"
#include "train/run/record.h"

namespace medurwkv::train {

/// Runs `count` cases of the cache, from `first` on, as predict does, and fits the temperature
/// (predict/temperature.h) on a sample of their pixels: all of up to 262,144, and of more as many
/// or down to about half; fewer with more than 16 classes. None without a pixel that is not
/// ignored. Throws Error naming the case, and Stopped when the listener asks to stop.
std::optional<FittedTemperature> calibrate(Engine& engine, data::CaseCache& cases,
                                           std::size_t first, std::size_t count,
                                           Listener& listener);

}  // namespace medurwkv::train
