// A run's record in words, and as TensorBoard's scalars. Relies on train/run/record.h and
// train/run/event_file.h.
#pragma once

#include <string>
#include <vector>

#include "train/run/event_file.h"
#include "train/run/record.h"

namespace medurwkv::train {

/// "  validation Dice 0.8125", for each figure.
std::string figures_text(const EpochRow& row, const Columns& columns);

/// The names of TensorBoard have groups: validation_dice is validation/dice.
Scalars scalars_of(const EpochRow& row, const Columns& columns);

/// What the fit of a temperature came to, a line each.
std::vector<std::string> temperature_lines(const FittedTemperature& fitted);

}  // namespace medurwkv::train
